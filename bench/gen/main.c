#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A measurement is what happened between two looks at the counters. */
struct look {
	uint64_t at, proxy_cpu, own_cpu, calls, done, bytes;
};

static const char usage[] =
	"usage: gen --upstream PORT[,PORT] [--port PROXY] [options]\n"
	"  --port N          the proxy to load, on 127.0.0.1 (without it: upstream only, for --seconds)\n"
	"  --upstream N,N    ports to answer on: /16k /1m /chunked /kept1k /kept16k /kept64k /text16k /text256k, anything else 200 bytes\n"
	"  --conns N         busy connections (64)\n"
	"  --path P          request target (/); %d in it counts below --vary\n"
	"  --vary N          how many different numbers (0)\n"
	"  --cookie TEXT     name=value of one more cookie\n"
	"  --encoding TEXT   Accept-Encoding (gzip, deflate, br, zstd)\n"
	"  --visit           no Cache-Control: max-age=0, which asks caches to go upstream\n"
	"  --body N          POST with so many bytes (0: GET)\n"
	"  --chunked         send the body chunked\n"
	"  --close           one connection a request\n"
	"  --idle N          idle connections, each asked once, opened before the load\n"
	"  --hold S          seconds to wait after opening them (3)\n"
	"  --warmup S        seconds of uncounted load (0.5)\n"
	"  --seconds S       seconds of counted load (3)\n"
	"  --rate N          requests per second, latency counted from when each was due (as fast as answers come)\n"
	"  --requests N      stop after so many (by time)\n"
	"  --status N        expected status (200)\n"
	"  --length N        expected body bytes (any)\n"
	"  --cpu N           pin this program to a core\n"
	"  --pids N,N        the proxy's processes: CPU and memory\n"
	"  --syscalls        count the proxy's system calls (root; slows it down)\n";

static int numbers(char *list, int *out, int max)
{
	int n = 0;
	for (char *t = strtok(list, ","); t && n < max; t = strtok(NULL, ","))
		out[n++] = atoi(t);
	return n;
}

enum { O_PORT = 1, O_UPSTREAM, O_CONNS, O_PATH, O_VARY, O_BODY, O_CHUNKED, O_CLOSE, O_IDLE, O_HOLD,
       O_WARMUP, O_SECONDS, O_REQUESTS, O_STATUS, O_LENGTH, O_CPU, O_PIDS, O_SYSCALLS, O_RATE, O_COOKIE,
       O_ENCODING, O_VISIT };

static const struct option long_options[] = {
	{ "port", 1, 0, O_PORT }, { "upstream", 1, 0, O_UPSTREAM }, { "conns", 1, 0, O_CONNS },
	{ "path", 1, 0, O_PATH }, { "vary", 1, 0, O_VARY }, { "body", 1, 0, O_BODY },
	{ "chunked", 0, 0, O_CHUNKED }, { "close", 0, 0, O_CLOSE }, { "idle", 1, 0, O_IDLE },
	{ "hold", 1, 0, O_HOLD }, { "warmup", 1, 0, O_WARMUP }, { "seconds", 1, 0, O_SECONDS },
	{ "requests", 1, 0, O_REQUESTS }, { "status", 1, 0, O_STATUS }, { "length", 1, 0, O_LENGTH },
	{ "cpu", 1, 0, O_CPU }, { "pids", 1, 0, O_PIDS }, { "syscalls", 0, 0, O_SYSCALLS },
	{ "rate", 1, 0, O_RATE }, { "cookie", 1, 0, O_COOKIE },
	{ "encoding", 1, 0, O_ENCODING }, { "visit", 0, 0, O_VISIT },
	{ 0, 0, 0, 0 },
};

static void set_option(struct options *o, int which, char *value)
{
	switch (which) {
	case O_PORT: o->port = atoi(value); return;
	case O_UPSTREAM: o->upstream_count = numbers(value, o->upstream_ports, MAX_PORTS); return;
	case O_CONNS: o->conns = atoi(value); return;
	case O_PATH: o->path = value; return;
	case O_COOKIE: o->cookie = value; return;
	case O_ENCODING: o->encoding = value; return;
	case O_VISIT: o->visit = true; return;
	case O_VARY: o->vary = atoi(value); return;
	case O_BODY: o->body = strtoul(value, NULL, 10); return;
	case O_CHUNKED: o->chunked_body = true; return;
	case O_CLOSE: o->close_each = true; return;
	case O_IDLE: o->idle = atoi(value); return;
	case O_HOLD: o->hold = atof(value); return;
	case O_WARMUP: o->warmup = atof(value); return;
	case O_SECONDS: o->seconds = atof(value); return;
	case O_RATE: o->rate = atoi(value); return;
	case O_REQUESTS: o->requests = strtoull(value, NULL, 10); return;
	case O_STATUS: o->expect_status = atoi(value); return;
	case O_LENGTH: o->expect_length = atoll(value); return;
	case O_CPU: o->cpu = atoi(value); return;
	case O_PIDS: o->pid_count = numbers(value, o->pids, MAX_PIDS); return;
	case O_SYSCALLS: o->syscalls = true; return;
	}
	fputs(usage, stderr);
	exit(2);
}

static struct options parse_options(int argc, char **argv)
{
	struct options o = {
		.conns = 64, .hold = 3, .warmup = 0.5, .seconds = 3, .path = "/", .cookie = "", .encoding = "gzip, deflate, br, zstd",
		.expect_status = 200, .expect_length = -1, .cpu = -1,
	};
	int which;
	while ((which = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(&o, which, optarg);
	if (optind < argc || (o.port == 0 && o.upstream_count == 0) || o.conns < 0 || o.rate < 0 || o.rate > 1000000 || o.vary > 100000 ||
	    o.seconds > 600 || o.hold > 600 || o.warmup > 60 || strlen(o.path) > 200 || strlen(o.cookie) > 200 || strlen(o.encoding) > 100) {
		fputs(usage, stderr);
		exit(2);
	}
	return o;
}

static void prepare_process(const struct options *o)
{
	struct rlimit files;
	cpu_set_t set;
	/* Nothing here may outlive its purpose, whatever the proxy does. */
	alarm((unsigned)(o->seconds + o->hold + o->warmup) + 60);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1); /* ns: requests leave when they are due */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (o->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(o->cpu, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		die("pin to core");
}

/* Waits at most 100 ms, and not beyond the next request that is due. */
static int wait_events(int epfd, struct epoll_event *events, int max)
{
	if (!pace_on())
		return epoll_wait(epfd, events, max, 100);
	struct timespec limit = { .tv_nsec = (long)pace_wait() };
	return (int)syscall(SYS_epoll_pwait2, epfd, events, max, &limit, NULL, 0);
}

/* One turn of the loop. */
static void turn(int epfd)
{
	struct epoll_event events[256];
	pace_ask();
	int n = wait_events(epfd, events, 256);
	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	for (int i = 0; i < n; i++) {
		struct pollable *p = events[i].data.ptr;
		switch (p->kind) {
		case KIND_LISTENER: upstream_accept(p); break;
		case KIND_UPSTREAM: upstream_event(p, events[i].events); break;
		case KIND_CLIENT: client_event(p, events[i].events); break;
		}
	}
}

static void turn_for(int epfd, double seconds)
{
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
	while (now_ns() < end)
		turn(epfd);
}

/* Turns until at most so many requests are in flight; false = 10 s brought no answer. */
static bool turn_until(int epfd, int in_flight)
{
	uint64_t done = client_counters.done, limit = now_ns() + 10000000000u;
	while (clients_busy() > in_flight) {
		turn(epfd);
		if (client_counters.done != done) {
			done = client_counters.done;
			limit = now_ns() + 10000000000u;
		} else if (now_ns() > limit) {
			return false;
		}
	}
	return true;
}

static void stuck(int opened)
{
	fprintf(stderr, "gen: no answer for 10 s with %d idle connections open, %d waiting\n", opened, clients_busy());
	exit(3);
}

/* Opens the idle connections, 64 at a time in flight. */
static struct client **open_idle(int epfd, const struct options *o)
{
	struct client **idle = calloc((size_t)o->idle + 1, sizeof *idle);
	if (!idle)
		die("memory");
	for (int i = 0; i < o->idle; i++) {
		idle[i] = client_open(ROLE_IDLE);
		if (!turn_until(epfd, 63))
			stuck(i);
	}
	if (!turn_until(epfd, 0))
		stuck(o->idle);
	return idle;
}

/* Asks once more on every idle connection: it must still work. */
static void recheck_idle(int epfd, const struct options *o, struct client **idle)
{
	bool alive = true;
	for (int i = 0; i < o->idle && alive; i++) {
		client_ask(idle[i], now_ns());
		alive = turn_until(epfd, 63);
	}
	if (alive)
		turn_until(epfd, 0);
	client_counters.idle_lost += (uint64_t)clients_busy();
}

static struct look look(const struct options *o)
{
	return (struct look){
		.at = now_ns(), .proxy_cpu = cpu_ns(o), .own_cpu = own_cpu_ns(), .calls = syscalls_read(),
		.done = client_counters.done, .bytes = client_counters.bytes,
	};
}

static void load(int epfd, const struct options *o, struct look *from, struct look *to)
{
	pace_setup(o);
	for (int i = 0; i < o->conns; i++)
		client_open(ROLE_BUSY);
	turn_for(epfd, o->warmup);
	latency_reset();
	*from = look(o);
	uint64_t end = from->at + (uint64_t)(o->seconds * 1e9);
	pace_stop(end);
	while (now_ns() < end) {
		turn(epfd);
		if (o->requests && client_counters.done - from->done >= o->requests)
			break;
	}
	*to = look(o);
	clients_stop();
	pace_stop(to->at < end ? to->at : end); /* what was due by then is still sent: waiting does not hide */
	uint64_t limit = now_ns() + 20000000000u;
	while (clients_busy() + pace_backlog() > 0 && now_ns() < limit)
		turn(epfd);
	client_counters.closed += (uint64_t)clients_busy() + pace_backlog();
}

static void report_errors(void)
{
	const struct client_counters *c = &client_counters;
	printf("\"errors\":%" PRIu64 ",\"bad_status\":%" PRIu64 ",\"first_bad_status\":%d,"
	       "\"bad_length\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"closed\":%" PRIu64 ","
	       "\"idle_lost\":%" PRIu64 ",\"reopened\":%" PRIu64 ",",
	       client_errors() + upstream_counters.errors, c->bad_status, c->first_bad_status, c->bad_length,
	       c->broken, c->closed, c->idle_lost, c->reopened);
}

static void report_load(const struct options *o, const struct look *from, const struct look *to)
{
	double seconds = (double)(to->at - from->at) / 1e9;
	double done = (double)(to->done - from->done);
	double cpu = (double)(to->proxy_cpu - from->proxy_cpu);
	double each = done > 0 ? done : 1;
	printf("\"requests\":%.0f,\"seconds\":%.3f,\"rps\":%.0f,\"mib_per_s\":%.1f,", done, seconds,
	       done / seconds, (double)(to->bytes - from->bytes) / seconds / 1048576);
	printf("\"cpu_us\":%.3f,\"proxy_cores\":%.3f,\"gen_core\":%.3f,", cpu / each / 1000,
	       cpu / seconds / 1e9, (double)(to->own_cpu - from->own_cpu) / seconds / 1e9);
	if (o->syscalls)
		printf("\"syscalls\":%.3f,", (double)(to->calls - from->calls) / each);
	printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,", latency_us(0.50),
	       latency_us(0.99), latency_us(0.999), latency_max_us());
}

int main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	prepare_process(&o);
	int epfd = epoll_create1(EPOLL_CLOEXEC);
	if (epfd < 0)
		die("epoll");
	upstream_start(epfd, &o);
	if (o.port == 0) {
		turn_for(epfd, o.seconds);
		return 0;
	}
	if (o.syscalls && !syscalls_open(&o)) {
		fprintf(stderr, "gen: no perf events for system calls here\n");
		return 4;
	}
	client_setup(epfd, &o);

	int64_t rss_before = rss_kib(&o), rss_idle = rss_before;
	struct client **idle = open_idle(epfd, &o);
	if (o.idle > 0) {
		turn_for(epfd, o.hold);
		rss_idle = rss_kib(&o);
	}
	struct look from = look(&o), to = from;
	to.at++;
	if (o.conns > 0)
		load(epfd, &o, &from, &to);
	int64_t rss_after = rss_kib(&o);
	if (o.idle > 0)
		recheck_idle(epfd, &o, idle);

	printf("{");
	report_errors();
	report_load(&o, &from, &to);
	printf("\"upstream_connections\":%" PRIu64 ",\"upstream_requests\":%" PRIu64
	       ",\"upstream_request_ids\":%" PRIu64 ",",
	       upstream_counters.connections, upstream_counters.requests, upstream_counters.with_request_id);
	printf("\"rss_before_kib\":%" PRId64 ",\"rss_idle_kib\":%" PRId64 ",\"rss_after_kib\":%" PRId64
	       ",\"idle\":%d,\"bytes_per_idle\":%.0f}\n",
	       rss_before, rss_idle, rss_after, o.idle,
	       o.idle > 0 ? (double)(rss_idle - rss_before) * 1024 / o.idle : 0.0);
	return 0;
}
