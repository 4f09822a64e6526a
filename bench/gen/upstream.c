#define _GNU_SOURCE
#include "gen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

struct upstream_counters upstream_counters;

/*
 * An answer is one buffer. A large one is its head, and a memory file behind
 * it that is sent without being copied by this program: copying is work that the
 * proxy under test should be seen doing, not the generator.
 */
struct answer {
	char *data;
	size_t size;
	int file;
	off_t file_size;
};

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_CHUNKED };

struct upstream {
	struct pollable p;
	enum stage stage;
	bool want_write;
	uint64_t body_left;
	struct chunk_state chunk;
	const struct answer *answer; /* being sent */
	size_t sent;
	size_t have;                 /* bytes in buf */
	char buf[READ_SIZE];
};

static int epoll_fd;
static struct answer small, medium, large, chunked, kept1k, kept16k, kept64k, text16k, text256k;

static void *must(void *p)
{
	if (!p)
		die("memory");
	return p;
}

/* What an answer is beside its size. */
struct look_of {
	const char *type, *more;
	void (*fill)(char *to, size_t size);
};

static void fill_x(char *to, size_t size)
{
	memset(to, 'x', size);
}

/* A list of links in HTML, always the same: gzip makes a sixth of it, as of many pages. */
static void fill_text(char *to, size_t size)
{
	static const char *words[] = { "river", "a", "window", "the", "of", "Monday", "quietly", "seven", "market", "and", "blue", "to",
				       "letter", "under", "station", "is", "garden", "paper", "from", "winter", "bridge", "with", "old", "coffee" };
	char line[256];
	uint32_t dice = 1;
	for (size_t at = 0; at < size;) {
		int n = snprintf(line, sizeof line, "<li class=\"item\"><a href=\"/story/%u\">", (dice >> 8) % 100000);
		for (int i = 0; i < 9; i++) {
			dice = dice * 1664525u + 1013904223u;
			n += snprintf(line + n, sizeof line - (size_t)n, "%s ", words[(dice >> 16) % 24]);
		}
		n += snprintf(line + n, sizeof line - (size_t)n, "</a></li>\n");
		size_t part = (size_t)n < size - at ? (size_t)n : size - at;
		memcpy(to + at, line, part);
		at += part;
	}
}

/* An old Date would make what is kept old. */
#define NOT_KEPT "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: no-store"
static const struct look_of plain = { "text/plain", NOT_KEPT, fill_x };
static const struct look_of kept = { "text/plain", "Cache-Control: max-age=3600", fill_x };
static const struct look_of text = { "text/html; charset=utf-8", NOT_KEPT, fill_text };

static char *answer_head(const struct look_of *o, const char *framing, size_t room, size_t *len)
{
	char *buf = must(malloc(512 + room));
	*len = (size_t)snprintf(buf, 512,
		"HTTP/1.1 200 OK\r\nServer: gen\r\nContent-Type: %s\r\n%s\r\n%s\r\n\r\n", o->type, framing, o->more);
	return buf;
}

static struct answer make_answer(const struct look_of *o, size_t body)
{
	char framing[64];
	struct answer a = { .file = -1 };
	snprintf(framing, sizeof framing, "Content-Length: %zu", body);
	a.data = answer_head(o, framing, body, &a.size);
	if (body <= 65536) {
		o->fill(a.data + a.size, body);
		a.size += body;
		return a;
	}
	a.file = memfd_create("answer", MFD_CLOEXEC);
	if (a.file < 0 || ftruncate(a.file, (off_t)body) < 0)
		die("memfd");
	a.file_size = (off_t)body;
	void *m = mmap(NULL, body, PROT_READ | PROT_WRITE, MAP_SHARED, a.file, 0);
	if (m == MAP_FAILED)
		die("mmap");
	o->fill(m, body);
	munmap(m, body);
	return a;
}

/* 16 KiB in four chunks, with a trailer. */
static struct answer make_chunked(void)
{
	struct answer a = { .file = -1 };
	a.data = answer_head(&plain, "Transfer-Encoding: chunked", MEDIUM_ANSWER + 256, &a.size);
	for (int i = 0; i < 4; i++) {
		a.size += (size_t)sprintf(a.data + a.size, "1000\r\n");
		memset(a.data + a.size, 'x', 4096);
		a.size += 4096;
		a.size += (size_t)sprintf(a.data + a.size, "\r\n");
	}
	a.size += (size_t)sprintf(a.data + a.size, "0\r\nX-Trailer: yes\r\n\r\n");
	return a;
}

static const struct answer *answer_for(const char *head, size_t len)
{
	static const struct { const char *path; const struct answer *answer; } all[] = {
		{ "/16k", &medium }, { "/1m", &large }, { "/chunked", &chunked }, { "/kept1k", &kept1k },
		{ "/kept16k", &kept16k }, { "/kept64k", &kept64k },
		{ "/text16k", &text16k }, { "/text256k", &text256k },
	};
	const char *path = memchr(head, ' ', len);
	size_t left = path ? len - (size_t)(path + 1 - head) : 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		size_t n = strlen(all[i].path);
		if (left > n && memcmp(path + 1, all[i].path, n) == 0)
			return all[i].answer;
	}
	return &small;
}

void upstream_start(int epfd, const struct options *o)
{
	epoll_fd = epfd;
	small = make_answer(&plain, SMALL_ANSWER);
	medium = make_answer(&plain, MEDIUM_ANSWER);
	large = make_answer(&plain, LARGE_ANSWER);
	kept1k = make_answer(&kept, 1024);
	kept16k = make_answer(&kept, 16384);
	kept64k = make_answer(&kept, 65536);
	text16k = make_answer(&text, MEDIUM_ANSWER);
	text256k = make_answer(&text, 256 * 1024);
	chunked = make_chunked();
	for (int i = 0; i < o->upstream_count; i++) {
		struct pollable *p = must(calloc(1, sizeof *p));
		struct sockaddr_in sa = {
			.sin_family = AF_INET,
			.sin_port = htons((uint16_t)o->upstream_ports[i]),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		};
		int one = 1;
		p->kind = KIND_LISTENER;
		p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(p->fd, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(p->fd, 4096) < 0)
			die("upstream listen");
		struct epoll_event ev = { .events = EPOLLIN, .data.ptr = p };
		epoll_ctl(epfd, EPOLL_CTL_ADD, p->fd, &ev);
	}
}

void upstream_accept(struct pollable *p)
{
	int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	struct upstream *u = must(malloc(sizeof *u));
	memset(u, 0, offsetof(struct upstream, buf));
	u->p.kind = KIND_UPSTREAM;
	u->p.fd = fd;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = u };
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	upstream_counters.connections++;
}

static void drop(struct upstream *u)
{
	close(u->p.fd);
	free(u);
}

static void want_write(struct upstream *u, bool on)
{
	if (u->want_write == on)
		return;
	u->want_write = on;
	struct epoll_event ev = { .events = on ? EPOLLOUT : EPOLLIN, .data.ptr = u };
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, u->p.fd, &ev);
}

/* Sends what it can of the answer; false = the connection is gone. */
static bool push(struct upstream *u)
{
	const struct answer *a = u->answer;
	while (u->sent < a->size + (size_t)a->file_size) {
		ssize_t n;
		if (u->sent < a->size) {
			n = send(u->p.fd, a->data + u->sent, a->size - u->sent,
				 MSG_NOSIGNAL | (a->file_size ? MSG_MORE : 0));
		} else {
			off_t at = (off_t)(u->sent - a->size);
			n = sendfile(u->p.fd, a->file, &at, (size_t)(a->file_size - at));
		}
		if (n < 0 && errno == EAGAIN) {
			want_write(u, true);
			return true;
		}
		if (n <= 0)
			return false;
		u->sent += (size_t)n;
	}
	u->answer = NULL;
	want_write(u, false);
	return true;
}

static bool begin_request(struct upstream *u, size_t *used)
{
	struct head h;
	int n = parse_head(u->buf + *used, u->have - *used, false, &h);
	if (n <= 0)
		return n == 0;
	u->answer = answer_for(u->buf + *used, (size_t)n);
	u->sent = 0;
	*used += (size_t)n;
	upstream_counters.with_request_id += h.request_id;
	u->body_left = h.length;
	u->stage = h.framing == FRAME_CHUNKED ? STAGE_CHUNKED : STAGE_BODY;
	memset(&u->chunk, 0, sizeof u->chunk);
	if (h.expect_continue && send(u->p.fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) < 0)
		return false;
	return true;
}

/* Takes body bytes out of the buffer; *done when the body is whole. */
static bool take_body(struct upstream *u, size_t *used, bool *done)
{
	size_t have = u->have - *used;
	if (u->stage == STAGE_CHUNKED) {
		uint64_t payload = 0;
		int64_t n = chunk_feed(&u->chunk, u->buf + *used, have, &payload, done);
		if (n < 0)
			return false;
		*used += (size_t)n;
		return true;
	}
	size_t n = have < u->body_left ? have : u->body_left;
	*used += n;
	u->body_left -= n;
	*done = u->body_left == 0;
	return true;
}

/* Works off the buffer until it is empty or an answer is on its way. */
static bool consume(struct upstream *u)
{
	size_t used = 0;
	bool ok = true;
	while (ok) {
		if (u->stage == STAGE_HEAD) {
			ok = begin_request(u, &used);
			if (!ok || u->stage == STAGE_HEAD)
				break;
		}
		bool done = false;
		ok = take_body(u, &used, &done);
		if (!ok || !done)
			break;
		u->stage = STAGE_HEAD;
		upstream_counters.requests++;
		ok = push(u);
		if (u->answer || used == u->have)
			break;
	}
	u->have -= used;
	if (u->have)
		memmove(u->buf, u->buf + used, u->have);
	return ok;
}

void upstream_event(struct pollable *p, uint32_t events)
{
	struct upstream *u = (struct upstream *)p;
	bool ok = true;
	if (events & EPOLLOUT) {
		ok = push(u);
		if (ok && !u->answer && u->have)
			ok = consume(u);
	} else if (u->stage == STAGE_BODY && u->have == 0 && u->body_left > READ_SIZE) {
		/* MSG_TRUNC on TCP: the kernel drops the bytes, nothing is copied. */
		ssize_t n = recv(p->fd, u->buf, u->body_left - READ_SIZE, MSG_TRUNC);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(u);
			return;
		}
		u->body_left -= (uint64_t)n;
	} else {
		ssize_t n = recv(p->fd, u->buf + u->have, READ_SIZE - u->have, 0);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			drop(u);
			return;
		}
		u->have += (size_t)n;
		ok = consume(u);
	}
	if (!ok) {
		upstream_counters.errors++;
		drop(u);
	}
}
