/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's memory: what is usable, what is taken, and which core gets which chunks. A chunk (2
 * MiB) belongs to one core; its end may be unusable, its head (chunk header and some frames) may
 * not.
 */
#include "base/str.h"
#include "boot/boot.h"

#define LOW_4G     (1ull << 32)
#define MIN_CHUNKS 2u /* of a core, if there are several */
#define WEIGHT_MAX 1000000u
#define MIN_USABLE (64 * PAGE_SIZE) /* of a chunk that is worth having */

/* Chunks not given to a core yet. */
static struct nk_range left[NK_RAM_MAX];
static unsigned nleft;

static void insert(struct nk_span *list, uint32_t *n, struct nk_span s)
{
	uint32_t i = *n;

	if (*n == NK_RAM_MAX)
		boot_fail(BOOT_EXIT_NOMEM, "the memory map has more than %u pieces", NK_RAM_MAX);
	for (; i > 0 && list[i - 1].start > s.start; i--)
		list[i] = list[i - 1];
	list[i] = s;
	++*n;
}

/* Join pieces that touch or overlap. */
static void join(struct nk_span *list, uint32_t *n)
{
	uint32_t to = 0;

	for (uint32_t i = 1; i < *n; i++) {
		if (list[i].start > list[to].end)
			list[++to] = list[i];
		else if (list[i].end > list[to].end)
			list[to].end = list[i].end;
	}
	*n = *n > 0 ? to + 1 : 0;
}

void memory_add(uint64_t start, uint64_t len)
{
	struct boot_state *b = &boot_state;
	struct nk_span s = { ALIGN_UP(start, PAGE_SIZE), ALIGN_DOWN(start + len, PAGE_SIZE) };

	b->memory_total += len;
	if (start + len < start || s.end > PA_END || s.start >= s.end)
		return;
	insert(b->ram, &b->nram, s);
	join(b->ram, &b->nram);
	insert(b->free, &b->nfree, s);
	join(b->free, &b->nfree);
}

bool memory_has(uint64_t start, uint64_t end)
{
	const struct boot_state *b = &boot_state;

	for (uint32_t i = 0; i < b->nram; i++)
		if (start >= b->ram[i].start && end <= b->ram[i].end)
			return true;
	return false;
}

void memory_cut(uint64_t start, uint64_t end)
{
	struct boot_state *b = &boot_state;

	for (uint32_t i = 0; i < b->nfree; i++) {
		struct nk_span *s = &b->free[i];
		struct nk_span tail = { end, s->end };

		if (end <= s->start || start >= s->end)
			continue;
		s->end = start > s->start ? start : s->start; /* empty pieces are skipped later */
		if (tail.start < tail.end)
			insert(b->free, &b->nfree, tail);
	}
}

uint64_t memory_take_top(uint64_t len)
{
	struct boot_state *b = &boot_state;

	len = ALIGN_UP(len, PAGE_SIZE);
	for (uint32_t i = b->nfree; i-- > 0;) {
		uint64_t end = b->free[i].end < LOW_4G ? b->free[i].end : LOW_4G;

		if (end < b->free[i].start + len)
			continue;
		memory_cut(end - len, end);
		return end - len;
	}
	return 0;
}

static unsigned chunks(const struct nk_range *r)
{
	return (r->end - r->start) >> CHUNK_SHIFT;
}

/* Whole chunks of what is free. */
static void find_chunks(void)
{
	const struct boot_state *b = &boot_state;

	for (uint32_t i = 0; i < b->nfree; i++) {
		uint64_t end = b->free[i].end;
		struct nk_range r = { ALIGN_UP(b->free[i].start, CHUNK_SIZE),
				      ALIGN_UP(end, CHUNK_SIZE), end };

		if (r.end - end > CHUNK_SIZE - MIN_USABLE) {
			r.end -= CHUNK_SIZE;
			r.usable_end = r.end;
		}
		if (r.start < r.end)
			left[nleft++] = r;
	}
}

static void give(unsigned core, struct nk_range r)
{
	struct boot_state *b = &boot_state;
	unsigned n = b->nranges[core];
	struct nk_range *last = n > 0 ? &b->range[core][n - 1] : NULL;

	if (last != NULL && last->end == r.start && last->usable_end == last->end) {
		last->end = r.end;
		last->usable_end = r.usable_end;
	} else if (n < BOOT_RANGES) {
		b->range[core][b->nranges[core]++] = r;
	} else {
		boot_say("boot: core %u: memory at %#lx is not used, too many pieces\n", core,
			 r.start);
	}
}

/* Take up to n chunks from the front of the first piece that has some. */
static struct nk_range take_front(unsigned n)
{
	struct nk_range *r = left;
	struct nk_range taken;

	while (chunks(r) == 0)
		r++;
	taken = *r;
	if (n < chunks(r)) {
		taken.end = taken.start + n * CHUNK_SIZE;
		taken.usable_end = taken.end;
	}
	r->start = taken.end;
	return taken;
}

static unsigned chunks_left(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nleft; i++)
		n += chunks(&left[i]);
	return n;
}

/* The first chunk: whole, and where boot can reach it. */
static bool give_first(unsigned core)
{
	for (unsigned i = 0; i < nleft; i++) {
		struct nk_range *r = &left[i];

		if (chunks(r) == 0 || r->start >= LOW_4G || r->usable_end - r->start < CHUNK_SIZE)
			continue;
		give(core,
		     (struct nk_range){ r->start, r->start + CHUNK_SIZE, r->start + CHUNK_SIZE });
		r->start += CHUNK_SIZE;
		return true;
	}
	return false;
}

/* Weights of mem.weights=A,B,...: missing ones are 1. False when the word is not there. */
static bool weights(uint64_t weight[MAX_CORES], uint64_t *sum)
{
	const char *word = strstr(boot_state.cmdline, "mem.weights=");
	const char *at;

	if (word == NULL)
		return false;
	at = word + strlen("mem.weights=");
	*sum = 0;
	for (unsigned i = 0; i < boot_state.ncores; i++) {
		weight[i] = 1;
		if (*at != '\0' && *at != ' ') {
			if (!str_parse_u64(at, 10, &weight[i], &at) || weight[i] > WEIGHT_MAX ||
			    (*at != ',' && *at != ' ' && *at != '\0'))
				boot_fail(BOOT_EXIT_CONFIG,
					  "mem.weights: numbers up to %u, separated by commas",
					  WEIGHT_MAX);
			at += *at == ',';
		}
		*sum += weight[i];
	}
	if (*sum == 0)
		boot_fail(BOOT_EXIT_CONFIG, "mem.weights: all are zero");
	return true;
}

void memory_split(void)
{
	unsigned ncores = boot_state.ncores;
	uint64_t weight[MAX_CORES], sum = 0;
	unsigned total, minimum = ncores > 1 ? ncores * MIN_CHUNKS : 1;
	bool weighted = weights(weight, &sum);

	find_chunks();
	total = chunks_left();
	if (total < minimum)
		boot_fail(BOOT_EXIT_NOMEM, "%lu KiB of memory: too little for %u core(s)",
			  boot_state.memory_total / 1024, ncores);
	for (unsigned core = 0; core < ncores; core++)
		if (!give_first(core))
			boot_fail(BOOT_EXIT_NOMEM,
				  "no whole 2 MiB of memory below 4 GiB for core %u", core);
	for (unsigned core = ncores; core-- > 0;) {
		unsigned share = weighted ? total * weight[core] / sum : 0;
		unsigned reserved = core * (MIN_CHUNKS - 1); /* for the cores to come */

		if (share < MIN_CHUNKS)
			share = MIN_CHUNKS;
		if (core == 0)
			share = chunks_left() + 1;
		for (unsigned want = share - 1; want > 0 && chunks_left() > reserved;) {
			unsigned most = chunks_left() - reserved;
			struct nk_range r = take_front(want < most ? want : most);

			give(core, r);
			want -= chunks(&r);
		}
	}
}
