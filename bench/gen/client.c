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
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct client_counters client_counters;

/* Sockets connect blocking (see connect_client), everything later must not wait. */
#define NO_WAIT (MSG_NOSIGNAL | MSG_DONTWAIT)

enum stage { STAGE_QUIET, STAGE_HEAD, STAGE_BODY, STAGE_CHUNKED, STAGE_CLOSE };

struct client {
	struct pollable p;
	enum role role;
	enum stage stage;
	bool want_write;
	struct head head;
	struct chunk_state chunk;
	uint64_t payload;            /* body bytes of the answer so far */
	uint64_t started;            /* ns, when the request was due */
	size_t sent;                 /* bytes of the request that are out */
	size_t have;                 /* bytes in buf; only a partial head is kept */
	char buf[READ_SIZE];
};

static const struct options *opt;
static int epoll_fd;
static bool stopping;
static int in_flight;

/* The request: head, and a body that all requests share. */
static char request[1024];
static size_t request_head;
static char *body;
static size_t body_size;
static size_t vary_at;               /* where the number stands in the head; 0 = nowhere */
static uint32_t vary_next;

#define MORE_FIELDS \
	"Accept: text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8\r\n" \
	"Accept-Language: en-US,en;q=0.7,de;q=0.3\r\n" \
	"Accept-Encoding: %s\r\n" \
	"Referer: http://bench.local/start/page?from=menu\r\n" \
	"Cookie: %s%ssession=4f1c9b7d2e6a48c09b3d5f7a1c2e4b6d; theme=dark; lang=en; seen=17\r\n" \
	"%s"

static void make_body(void)
{
	body = malloc(opt->body + 64);
	if (!body)
		die("memory");
	if (!opt->chunked_body) {
		memset(body, 'b', opt->body);
		body_size = opt->body;
		return;
	}
	body_size = (size_t)sprintf(body, "%zx\r\n", opt->body);
	memset(body + body_size, 'b', opt->body);
	body_size += opt->body;
	body_size += (size_t)sprintf(body + body_size, "\r\n0\r\n\r\n");
}

static void make_request(void)
{
	char path[256], framing[64] = "";
	const char *form = strstr(opt->path, "%d");
	if (form && opt->vary > 0) {
		int before = (int)(form - opt->path);
		snprintf(path, sizeof path, "%.*s%05d%s", before, opt->path, 0, form + 2);
	} else {
		snprintf(path, sizeof path, "%s", opt->path);
	}
	if (opt->body && opt->chunked_body)
		snprintf(framing, sizeof framing, "Transfer-Encoding: chunked\r\n");
	else if (opt->body)
		snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", opt->body);
	request_head = (size_t)snprintf(request, sizeof request,
		"%s %s HTTP/1.1\r\nHost: bench.local\r\n"
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 gen/1.0\r\n" MORE_FIELDS "%s%s\r\n",
		opt->body ? "POST" : "GET", path, opt->encoding, opt->cookie, *opt->cookie ? "; " : "",
		opt->visit ? "" : "Cache-Control: max-age=0\r\n", framing,
		opt->close_each ? "Connection: close\r\n" : "");
	if (form && opt->vary > 0)
		vary_at = (opt->body ? 5u : 4u) + (size_t)(form - opt->path);
	if (opt->body)
		make_body();
}

void client_setup(int epfd, const struct options *o)
{
	opt = o;
	epoll_fd = epfd;
	make_request();
}

/* The next number, in an order that no cache likes: 7919 is prime. */
static void vary_request(void)
{
	uint32_t n = vary_next;
	vary_next = (vary_next + 7919u) % (uint32_t)opt->vary;
	for (int i = 4; i >= 0; i--, n /= 10)
		request[vary_at + (size_t)i] = (char)('0' + n % 10);
}

static void connect_client(struct client *c)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)opt->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	/* Loopback connects at once or not at all: waiting here is bounded. */
	struct timeval limit = { .tv_sec = 5 };
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
		die("connect to the proxy");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	c->p.fd = fd;
	c->stage = STAGE_QUIET;
	c->want_write = false;
	c->have = 0;
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* What a connection does once it is free. */
static void next(struct client *c)
{
	if (c->role == ROLE_BUSY && pace_on())
		pace_rest(c);
	else
		client_ask(c, now_ns());
}

struct client *client_open(enum role role)
{
	struct client *c = malloc(sizeof *c);
	if (!c)
		die("memory");
	memset(c, 0, offsetof(struct client, buf));
	c->p.kind = KIND_CLIENT;
	c->role = role;
	connect_client(c);
	next(c);
	return c;
}

int clients_busy(void)
{
	return in_flight;
}

void clients_stop(void)
{
	stopping = true;
}

uint64_t client_errors(void)
{
	const struct client_counters *n = &client_counters;
	return n->bad_status + n->bad_length + n->broken + n->closed + n->idle_lost;
}

static void want_write(struct client *c, bool on)
{
	if (c->want_write == on)
		return;
	c->want_write = on;
	struct epoll_event ev = { .events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c };
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->p.fd, &ev);
}

static void settled(struct client *c)
{
	c->stage = STAGE_QUIET;
	in_flight--;
}

/* Ends the connection; a busy client starts again on a fresh one. */
static void restart(struct client *c)
{
	close(c->p.fd);
	c->p.fd = -1;
	if (c->stage != STAGE_QUIET)
		settled(c);
	if (c->role == ROLE_IDLE || (stopping && pace_backlog() == 0))
		return;
	if (client_errors() > 1000) {
		fprintf(stderr, "gen: too many errors\n");
		exit(3);
	}
	connect_client(c);
	next(c);
}

static void push(struct client *c)
{
	size_t total = request_head + body_size;
	while (c->sent < total) {
		struct iovec iov[2];
		int n = 0;
		if (c->sent < request_head)
			iov[n++] = (struct iovec){ request + c->sent, request_head - c->sent };
		size_t at = c->sent > request_head ? c->sent - request_head : 0;
		if (body_size)
			iov[n++] = (struct iovec){ body + at, body_size - at };
		struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
		ssize_t done = n == 1 ? send(c->p.fd, iov[0].iov_base, iov[0].iov_len, NO_WAIT)
				      : sendmsg(c->p.fd, &m, NO_WAIT);
		if (done < 0 && errno == EAGAIN) {
			want_write(c, true);
			return;
		}
		if (done < 0)
			return; /* reading will tell */
		c->sent += (size_t)done;
	}
	want_write(c, false);
}

void client_ask(struct client *c, uint64_t due)
{
	if (c->p.fd < 0)
		return;
	if (vary_at)
		vary_request();
	c->stage = STAGE_HEAD;
	c->sent = 0;
	c->started = due;
	in_flight++;
	push(c);
}

static void finish(struct client *c)
{
	bool close_it = c->head.close || c->stage == STAGE_CLOSE || c->sent < request_head + body_size;
	latency_add(now_ns() - c->started);
	client_counters.done++;
	if (c->head.status != opt->expect_status) {
		client_counters.bad_status++;
		client_counters.first_bad_status = c->head.status;
	}
	if (opt->expect_length >= 0 && c->payload != (uint64_t)opt->expect_length)
		client_counters.bad_length++;
	settled(c);
	if (close_it) {
		client_counters.reopened++;
		restart(c);
		return;
	}
	if (c->role == ROLE_BUSY && (!stopping || pace_on()))
		next(c);
}

/* Sets the stage from a head that has just come; false = broken. */
static bool begin_answer(struct client *c, size_t *used)
{
	int n = parse_head(c->buf + *used, c->have - *used, true, &c->head);
	if (n <= 0)
		return n == 0;
	*used += (size_t)n;
	if (c->head.status < 200)
		return begin_answer(c, used);
	c->payload = 0;
	memset(&c->chunk, 0, sizeof c->chunk);
	switch (c->head.framing) {
	case FRAME_LENGTH:
		c->stage = STAGE_BODY;
		break;
	case FRAME_CHUNKED:
		c->stage = STAGE_CHUNKED;
		break;
	case FRAME_CLOSE:
		c->stage = STAGE_CLOSE;
		break;
	}
	return true;
}

/* Takes body bytes; false = broken. */
static bool take_body(struct client *c, size_t *used, bool *done)
{
	size_t have = c->have - *used;
	if (c->stage == STAGE_CHUNKED) {
		int64_t n = chunk_feed(&c->chunk, c->buf + *used, have, &c->payload, done);
		if (n < 0)
			return false;
		*used += (size_t)n;
		return true;
	}
	*used += have;
	c->payload += have;
	*done = c->stage == STAGE_BODY && c->payload >= c->head.length;
	return c->stage == STAGE_CLOSE || c->payload <= c->head.length;
}

static void broken(struct client *c)
{
	client_counters.broken++;
	restart(c);
}

static void consume(struct client *c)
{
	size_t used = 0;
	if (c->stage == STAGE_HEAD) {
		if (!begin_answer(c, &used)) {
			broken(c);
			return;
		}
		if (c->stage == STAGE_HEAD) {
			c->have -= used;
			memmove(c->buf, c->buf + used, c->have);
			return;
		}
	}
	bool done = false;
	if (c->stage == STAGE_QUIET || !take_body(c, &used, &done) || (done && used < c->have)) {
		broken(c);
		return;
	}
	c->have = 0;
	if (done)
		finish(c);
}

static void hung_up(struct client *c)
{
	if (c->stage == STAGE_CLOSE) {
		finish(c);
		return;
	}
	if (c->stage != STAGE_QUIET)
		client_counters.closed++;
	else if (c->role == ROLE_IDLE)
		client_counters.idle_lost++;
	restart(c);
}

void client_event(struct pollable *p, uint32_t events)
{
	struct client *c = (struct client *)p;
	if (events & EPOLLOUT)
		push(c);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;

	/* The rest of a large body is dropped by the kernel (MSG_TRUNC), uncopied. */
	uint64_t left = c->stage == STAGE_BODY ? c->head.length - c->payload : 0;
	if (left > READ_SIZE) {
		ssize_t n = recv(p->fd, c->buf, left - 1, MSG_TRUNC | MSG_DONTWAIT);
		if (n > 0) {
			client_counters.bytes += (uint64_t)n;
			c->payload += (uint64_t)n;
			return;
		}
		if (n < 0 && errno == EAGAIN)
			return;
		hung_up(c);
		return;
	}
	ssize_t n = recv(p->fd, c->buf + c->have, READ_SIZE - c->have, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hung_up(c);
		return;
	}
	client_counters.bytes += (uint64_t)n;
	c->have += (size_t)n;
	consume(c);
}
