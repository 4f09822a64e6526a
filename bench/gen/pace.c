#include "gen.h"

#include <stdlib.h>

/*
 * Requests at a fixed rate: the i-th is due i intervals after the start,
 * whether or not the proxy has answered those before. One that finds no free
 * connection waits for one, and its latency counts from when it was due, so a
 * proxy that stalls cannot hide the requests it kept from being sent.
 */

#define LONGEST_WAIT 100000000u

static double interval;              /* ns; 0 = not paced */
static uint64_t start, stop_at;
static uint64_t sent;                /* requests so far */
static struct client **resting;      /* a ring, so that connections take turns */
static size_t size, first, count;

void pace_setup(const struct options *o)
{
	if (o->rate == 0 || o->conns == 0)
		return;
	size = (size_t)o->conns;
	resting = calloc(size, sizeof *resting);
	if (!resting)
		die("memory");
	interval = 1e9 / o->rate;
	start = now_ns();
	stop_at = UINT64_MAX;
}

bool pace_on(void)
{
	return interval > 0;
}

void pace_stop(uint64_t end)
{
	stop_at = end;
}

void pace_rest(struct client *c)
{
	for (size_t i = 0; i < count; i++)
		if (resting[(first + i) % size] == c)
			return; /* it was reopened while it rested */
	resting[(first + count++) % size] = c;
}

/* When the next request is due, UINT64_MAX = never. */
static uint64_t next_due(void)
{
	uint64_t due = start + (uint64_t)((double)sent * interval);
	return due < stop_at ? due : UINT64_MAX;
}

void pace_ask(void)
{
	if (!pace_on())
		return;
	uint64_t now = now_ns();
	while (count > 0 && next_due() <= now) {
		struct client *c = resting[first];
		uint64_t due = next_due();
		first = (first + 1) % size;
		count--;
		sent++;
		client_ask(c, due);
	}
}

uint64_t pace_backlog(void)
{
	if (!pace_on())
		return 0;
	uint64_t now = now_ns(), last = now < stop_at ? now : stop_at;
	if (last <= start)
		return 0;
	uint64_t due = (uint64_t)((double)(last - start) / interval) + 1;
	return due > sent && next_due() <= last ? due - sent : 0;
}

uint64_t pace_wait(void)
{
	uint64_t now = now_ns(), due = next_due();
	if (count == 0 || due > now + LONGEST_WAIT)
		return LONGEST_WAIT;
	return due > now ? due - now : 0;
}
