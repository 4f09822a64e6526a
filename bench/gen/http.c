#define _GNU_SOURCE
#include "gen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool name_is(const char *line, const char *end, const char *name, size_t n)
{
	return (size_t)(end - line) > n && line[n] == ':' && strncasecmp(line, name, n) == 0;
}

static const char *value_of(const char *line, size_t name)
{
	line += name + 1;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

static void parse_line(const char *line, const char *end, struct head *out)
{
	switch (line[0] | 0x20) {
	case 'c':
		if (name_is(line, end, "content-length", 14)) {
			out->length = strtoull(value_of(line, 14), NULL, 10);
			if (out->framing == FRAME_CLOSE)
				out->framing = FRAME_LENGTH;
		} else if (name_is(line, end, "connection", 10)) {
			out->close = strncasecmp(value_of(line, 10), "close", 5) == 0;
		}
		return;
	case 't':
		if (name_is(line, end, "transfer-encoding", 17) &&
		    strncasecmp(value_of(line, 17), "chunked", 7) == 0)
			out->framing = FRAME_CHUNKED;
		return;
	case 'x':
		if (name_is(line, end, "x-request-id", 12))
			out->request_id = true;
		return;
	case 'e':
		if (name_is(line, end, "expect", 6))
			out->expect_continue = true;
		return;
	}
}

int parse_head(const char *buf, size_t len, bool answer, struct head *out)
{
	const char *end = memmem(buf, len, "\r\n\r\n", 4);
	if (!end)
		return len >= READ_SIZE ? -1 : 0;

	memset(out, 0, sizeof *out);
	out->framing = answer ? FRAME_CLOSE : FRAME_LENGTH;
	if (answer) {
		if (len < 12 || memcmp(buf, "HTTP/1.", 7) != 0)
			return -1;
		out->status = atoi(buf + 9);
		out->close = buf[7] == '0';
	}
	const char *line = memchr(buf, '\n', (size_t)(end + 2 - buf));
	while (line && ++line < end) {
		const char *eol = memchr(line, '\r', (size_t)(end + 2 - line));
		if (!eol)
			break;
		parse_line(line, eol, out);
		line = eol + 1;
	}
	if (answer && (out->status == 204 || out->status == 304)) {
		out->framing = FRAME_LENGTH;
		out->length = 0;
	}
	return (int)(end + 4 - buf);
}

enum { CHUNK_SIZE, CHUNK_EXT, CHUNK_DATA, CHUNK_CR, CHUNK_LF, CHUNK_TRAILER, CHUNK_TRAILER_LINE };

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of framing; false = broken. */
static bool chunk_byte(struct chunk_state *st, char c, bool *done)
{
	switch (st->phase) {
	case CHUNK_SIZE:
		if (hex(c) >= 0) {
			st->left = st->left * 16 + (uint64_t)hex(c);
			return true;
		}
		st->phase = CHUNK_EXT;
		/* fall through */
	case CHUNK_EXT:
		if (c == '\n')
			st->phase = st->left ? CHUNK_DATA : CHUNK_TRAILER;
		return true;
	case CHUNK_CR:
		st->phase = CHUNK_LF;
		return c == '\r';
	case CHUNK_LF:
		st->phase = CHUNK_SIZE;
		return c == '\n';
	case CHUNK_TRAILER:
		if (c == '\n')
			*done = true;
		else if (c != '\r')
			st->phase = CHUNK_TRAILER_LINE;
		return true;
	case CHUNK_TRAILER_LINE:
		if (c == '\n')
			st->phase = CHUNK_TRAILER;
		return true;
	}
	return false;
}

int64_t chunk_feed(struct chunk_state *st, const char *buf, size_t len,
		   uint64_t *payload, bool *done)
{
	size_t i = 0;
	while (i < len && !*done) {
		if (st->phase != CHUNK_DATA) {
			if (!chunk_byte(st, buf[i++], done))
				return -1;
			continue;
		}
		size_t n = len - i;
		if (n > st->left)
			n = st->left;
		i += n;
		st->left -= n;
		*payload += n;
		if (st->left == 0)
			st->phase = CHUNK_CR;
	}
	return (int64_t)i;
}
