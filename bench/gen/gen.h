/*
 * gen: a load generator and the upstream behind the proxy, in one
 * single-threaded epoll loop, so that a proxy pinned to another core is the
 * bottleneck and not the load. See ../README.md for the command line.
 *
 * main.c      options, phases, the loop
 * client.c    connections to the proxy: send, verify, time, reopen
 * pace.c      requests at a fixed rate (--rate)
 * upstream.c  the server behind the proxy: read requests, answer by path
 * http.c      message heads and chunked framing, just enough to verify
 * stats.c     latency histogram, CPU, memory and syscalls of the proxy, JSON
 */
#ifndef GEN_H
#define GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PIDS 64
#define MAX_PORTS 64
#define READ_SIZE 32768
#define SMALL_ANSWER 200
#define MEDIUM_ANSWER 16384
#define LARGE_ANSWER (1024 * 1024)

struct options {
	int port;                  /* the proxy, on 127.0.0.1; 0 = upstream only */
	int upstream_ports[MAX_PORTS];
	int upstream_count;
	int conns;                 /* busy connections */
	int idle;                  /* connections that asked once and then wait */
	double hold;               /* seconds between the last idle answer and the load */
	double warmup;             /* seconds of load that are not counted */
	double seconds;            /* seconds of load that are counted */
	int rate;                  /* requests per second over all connections; 0 = as fast as answers come */
	uint64_t requests;         /* stop early after so many; 0 = by time only */
	const char *path;          /* a %d form is replaced by a number below vary */
	int vary;
	const char *cookie;        /* name=value of one more; "" = none */
	const char *encoding;      /* Accept-Encoding */
	bool visit;                /* no Cache-Control: max-age=0, as browsers send it with a reload */
	size_t body;               /* request body bytes; 0 = GET */
	bool chunked_body;
	bool close_each;           /* one connection per request */
	int expect_status;
	int64_t expect_length;     /* -1 = do not check */
	int cpu;                   /* pin this program there; -1 = do not */
	int pids[MAX_PIDS];        /* processes of the proxy, for CPU and memory */
	int pid_count;
	bool syscalls;             /* count the proxy's system calls (needs perf events) */
};

/* What epoll hands back: the first member of everything that is polled. */
enum kind { KIND_LISTENER, KIND_UPSTREAM, KIND_CLIENT };
struct pollable {
	enum kind kind;
	int fd;
};

/* --- http.c --- */

enum framing { FRAME_LENGTH, FRAME_CHUNKED, FRAME_CLOSE };

struct chunk_state {
	int phase;
	uint64_t left;
};

struct head {
	int status;                /* answers only */
	enum framing framing;
	uint64_t length;
	bool close;
	bool request_id;           /* has an X-Request-Id */
	bool expect_continue;
};

/* Bytes of the head including its empty line, 0 = not whole yet, -1 = broken. */
int parse_head(const char *buf, size_t len, bool answer, struct head *out);

/* Consumes chunked framing. Returns bytes used, -1 = broken; *done at the end. */
int64_t chunk_feed(struct chunk_state *st, const char *buf, size_t len,
		   uint64_t *payload, bool *done);

/* --- stats.c --- */

uint64_t now_ns(void);
void die(const char *what);
void latency_add(uint64_t ns);
void latency_reset(void);
double latency_us(double quantile);
double latency_max_us(void);
uint64_t cpu_ns(const struct options *o);
uint64_t own_cpu_ns(void);
int64_t rss_kib(const struct options *o);
bool syscalls_open(const struct options *o);
uint64_t syscalls_read(void);

/* --- upstream.c --- */

struct upstream_counters {
	uint64_t connections;
	uint64_t requests;
	uint64_t with_request_id;
	uint64_t errors;
};
extern struct upstream_counters upstream_counters;

void upstream_start(int epfd, const struct options *o);
void upstream_accept(struct pollable *p);
void upstream_event(struct pollable *p, uint32_t events);

/* --- client.c --- */

struct client_counters {
	uint64_t done;
	uint64_t bytes;            /* answer bytes, heads included */
	uint64_t bad_status;
	uint64_t bad_length;
	uint64_t broken;           /* not HTTP */
	uint64_t closed;           /* connection lost inside a request */
	uint64_t reopened;         /* closed by the proxy between requests, as announced */
	uint64_t idle_lost;        /* idle connections that the proxy closed */
	int first_bad_status;
};
extern struct client_counters client_counters;

enum role { ROLE_BUSY, ROLE_IDLE };
struct client;

void client_setup(int epfd, const struct options *o);
struct client *client_open(enum role role);
void client_event(struct pollable *p, uint32_t events);
void client_ask(struct client *c, uint64_t due); /* send the next request; latency counts from due, ns */
void clients_stop(void);           /* send no more after the present answer */
int clients_busy(void);            /* requests in flight */
uint64_t client_errors(void);

/* --- pace.c --- */

void pace_setup(const struct options *o);
bool pace_on(void);
void pace_rest(struct client *c);  /* the connection is free for the next request */
void pace_stop(uint64_t end);      /* no request is due at or after end */
void pace_ask(void);               /* sends what is due, as far as connections are free */
uint64_t pace_backlog(void);       /* requests that are due and not sent */
uint64_t pace_wait(void);          /* ns until the next request is due, at most 100 ms */

#endif
