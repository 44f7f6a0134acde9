/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nk against invariants: random operations, sensible and hostile, on a modelled machine. After
 * each, the tables are read afresh (model_check), what failed must have changed nothing, and what
 * succeeded must have done what a naive model of the mappings says. NK_SEED and NK_STEPS in the
 * environment choose another run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nk/test/model.h"

#define STEPS        60000u /* with batches and hostile ones about 140,000 operations */
#define SPACES       4u     /* of programs; number 0 stands for the kernel's windows */
#define REGION_PAGES 16u
#define FRAMES       48u /* that are mapped again and again */

static uint64_t random_state;

static uint64_t rnd(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % below;
}

/* ---- the naive model: what should be mapped where ---- */

struct page {
	bool there;
	uint64_t pa;
	uint32_t rights;
};

/* Regions that lie across borders of tables of each level, and at both ends. */
static const uint64_t user_regions[] = {
	USER_MIN,
	0x400000 - 8 * PAGE_SIZE,
	0x40000000 - 8 * PAGE_SIZE,
	PRIV_END - 8 * PAGE_SIZE,
	0x8000000000 - 8 * PAGE_SIZE,
	USER_END - REGION_PAGES *PAGE_SIZE,
};
static const uint64_t window_regions[] = {
	KWIN_BASE,
	KWIN_BASE + CHUNK_SIZE - 8 * PAGE_SIZE,
	KWIN_BASE + 0x600000,
	KWIN_BASE + 0x800000,
	KWIN_BASE + 0x20000000,
	KWIN_END - REGION_PAGES *PAGE_SIZE,
};
#define REGIONS ARRAY_SIZE(user_regions)

static nk_space_t space[SPACES + 1];
static struct page pages[SPACES + 1][REGIONS][REGION_PAGES];

static uint64_t va_of(unsigned s, unsigned region, unsigned page)
{
	return (s == 0 ? window_regions : user_regions)[region] + page * PAGE_SIZE;
}

static struct page from_entry(unsigned s, uint64_t e)
{
	struct page p = { NK_PTE_THERE(e), e & NK_PTE_ADDR, 0 };

	if (!p.there)
		return (struct page){ 0 };
	if (e & NK_PTE_P) {
		p.rights = NK_R | (e & NK_PTE_W ? NK_W : 0) | (e & NK_PTE_NX ? 0 : NK_X);
		p.rights |= s != 0 && !(e & NK_PTE_U) ? NK_PRIV : 0;
		assert_false(s == 0 && e & NK_PTE_U);
	}
	return p;
}

static struct page actual(unsigned s, unsigned region, unsigned page)
{
	return from_entry(s, nk_entry(space[s], va_of(s, region, page)));
}

static void compare(unsigned s)
{
	if (s != 0 && space[s].v == 0)
		return;
	for (unsigned r = 0; r < REGIONS; r++)
		for (unsigned i = 0; i < REGION_PAGES; i++) {
			struct page a = actual(s, r, i), want = pages[s][r][i];

			if (a.there != want.there || a.pa != want.pa || a.rights != want.rights)
				fail_msg("space %u va %#lx: %d %#lx %u, expected %d %#lx %u", s,
					 va_of(s, r, i), a.there, a.pa, a.rights, want.there,
					 want.pa, want.rights);
		}
}

static void read_back(void)
{
	for (unsigned s = 0; s <= SPACES; s++)
		for (unsigned r = 0; r < REGIONS; r++)
			for (unsigned i = 0; i < REGION_PAGES; i++)
				pages[s][r][i] = s != 0 && space[s].v == 0 ? (struct page){ 0 }
									   : actual(s, r, i);
}

/* ---- choosing ---- */

static uint64_t frame_of_set(unsigned i)
{
	return model_first_plain + i * PAGE_SIZE;
}

/* A frame that should not be mapped, or not exist. */
static uint64_t bad_frame(void)
{
	switch (rnd(8)) {
	case 0: return nk_record.root;
	case 1: return CHUNK_SIZE + rnd(2) * PAGE_SIZE; /* chunk header */
	case 2: return MODEL_OTHER + rnd(512) * PAGE_SIZE;
	case 3: return rnd(512) * PAGE_SIZE; /* kernel */
	case 4: return frame_of_set(rnd(FRAMES)) + 1 + rnd(PAGE_SIZE - 1);
	case 5: return space[1 + rnd(SPACES)].v;
	case 6: return nk_pool_head;
	default: return rnd(UINT64_MAX) & ~PAGE_MASK;
	}
}

static uint64_t some_frame(void)
{
	switch (rnd(400)) {
	case 0: return bad_frame();
	case 1 ... 20: return UINT64_MAX;
	case 21 ... 40: return MODEL_IMAGE + rnd(8) * PAGE_SIZE;
	default: return frame_of_set(rnd(FRAMES));
	}
}

static uint64_t plain_frame(void)
{
	for (;;) {
		uint64_t pa = frame_of_set(FRAMES + rnd(400));
		struct nk_frame *f = frame_lookup(pa);

		if (f != NULL && f->type == NK_T_PLAIN)
			return pa;
	}
}

static uint32_t some_rights(unsigned s)
{
	uint32_t priv = rnd(s != 0 ? 3 : 30) == 0 ? NK_PRIV : 0;

	if (rnd(8) == 0)
		return rnd(20) == 0 ? priv : 0;
	return NK_R | rnd(2) * NK_W | (s != 0 && rnd(3) == 0 ? NK_X : 0) | priv;
}

static unsigned live_space(void)
{
	for (unsigned tries = 0; tries < 8; tries++) {
		unsigned s = 1 + rnd(SPACES);

		if (space[s].v != 0)
			return s;
	}
	return 0;
}

static void touch_some(void)
{
	unsigned s = live_space();

	if (s != 0)
		assert_int_equal(nk_space_load(space[s]), OK);
	for (unsigned i = rnd(12); i > 0; i--) {
		model_touch(va_of(1, rnd(REGIONS), rnd(REGION_PAGES)));
		model_touch(va_of(0, rnd(REGIONS), rnd(REGION_PAGES)));
		model_touch(DM_BASE + frame_of_set(rnd(FRAMES + 400)));
	}
}

/* ---- one operation, with what it should do ---- */

struct trial {
	struct nk_op op;
	unsigned s, s2, region, first;
	paddr_t frames[REGION_PAGES];
	bool fails; /* must fail */
	bool may_lack_tables;
};

static void choose_range(struct trial *t)
{
	t->s = rnd(4) == 0 ? 0 : live_space();
	t->region = rnd(REGIONS);
	t->first = rnd(REGION_PAGES);
	t->op.space = space[t->s];
	t->op.va = va_of(t->s, t->region, t->first);
	t->op.n = 1 + rnd(REGION_PAGES - t->first);
	t->op.rights = some_rights(t->s);
	if (t->op.rights & NK_PRIV &&
	    (t->s == 0 || !(t->op.rights & NK_R) || (t->op.rights & NK_W && t->op.rights & NK_X) ||
	     t->op.va + t->op.n * PAGE_SIZE > PRIV_END))
		t->fails = true;
}

static bool mappable(const struct trial *t, uint64_t pa)
{
	const struct nk_frame *f;

	if (pa >= MODEL_IMAGE && pa < MODEL_IMAGE_END)
		return (pa & PAGE_MASK) == 0 && t->s != 0 && !(t->op.rights & (NK_W | NK_PRIV));
	if ((pa & PAGE_MASK) != 0 || pa >= MODEL_SIZE)
		return false;
	f = frame_lookup(pa);
	return f != NULL &&
	       (f->type == NK_T_PLAIN || f->type == (t->s == 0                ? NK_T_WINDOW
						     : t->op.rights & NK_PRIV ? NK_T_PRIV
									      : NK_T_USER));
}

/* Where frames in a row begin: in the root image, and now and then near its ends. */
static uint64_t image_run_base(void)
{
	switch (rnd(8)) {
	case 0: return MODEL_IMAGE - rnd(REGION_PAGES) * PAGE_SIZE;
	case 1: return MODEL_IMAGE_END - rnd(REGION_PAGES) * PAGE_SIZE;
	case 2: return MODEL_IMAGE + rnd(PAGE_SIZE);
	default: return MODEL_IMAGE + rnd(REGION_PAGES) * PAGE_SIZE;
	}
}

static void choose_map(struct trial *t)
{
	choose_range(t);
	t->op.kind = NK_MAP;
	t->op.frames = t->frames;
	t->may_lack_tables = true;
	if (rnd(2) == 0)
		t->op.rights |= NK_REPLACE;
	if (rnd(3) == 0) {
		t->op.frames = NULL;
		t->op.base = PADDR(image_run_base());
	}
	for (unsigned i = 0; i < t->op.n; i++) {
		uint64_t pa = t->op.frames != NULL ? some_frame() : t->op.base.v + i * PAGE_SIZE;

		t->frames[i] = PADDR(pa);
		if (pa == UINT64_MAX)
			continue;
		if (!mappable(t, pa) ||
		    (pages[t->s][t->region][t->first + i].there && !(t->op.rights & NK_REPLACE)))
			t->fails = true;
	}
}

static void apply_map(const struct trial *t)
{
	for (unsigned i = 0; i < t->op.n; i++)
		if (t->frames[i].v != UINT64_MAX) {
			uint32_t rights = t->op.rights & ~NK_REPLACE;

			pages[t->s][t->region][t->first + i] = (struct page){ true, t->frames[i].v,
									      rights };
		}
}

static void choose_change(struct trial *t)
{
	static const enum nk_op_kind kinds[] = { NK_UNMAP, NK_PROTECT, NK_PROTECT_RO };

	choose_range(t);
	t->op.kind = kinds[rnd(3)];
	for (unsigned i = 0; i < t->op.n; i++) {
		struct page *p = &pages[t->s][t->region][t->first + i];

		if (t->op.kind != NK_PROTECT || !p->there)
			continue;
		if (t->op.rights & NK_W && frame_is_image(p->pa))
			t->fails = true;
		if (t->op.rights != 0 &&
		    !(t->op.rights & NK_PRIV) !=
			    (frame_is_image(p->pa) || frame_lookup(p->pa)->type != NK_T_PRIV))
			t->fails = true;
	}
}

static void apply_change(const struct trial *t)
{
	for (unsigned i = 0; i < t->op.n; i++) {
		struct page *p = &pages[t->s][t->region][t->first + i];

		if (!p->there)
			continue;
		if (t->op.kind == NK_UNMAP)
			*p = (struct page){ 0 };
		else if (t->op.kind == NK_PROTECT)
			p->rights = t->op.rights;
		else
			p->rights &= ~NK_W;
	}
}

static void choose_clone(struct trial *t)
{
	choose_range(t);
	t->op.kind = NK_CLONE;
	t->s2 = live_space();
	t->op.space2 = space[t->s2];
	t->may_lack_tables = true;
	if (t->s == 0 || t->s2 == 0 || t->s == t->s2)
		t->fails = true;
	for (unsigned i = 0; i < t->op.n; i++)
		if (pages[t->s2][t->region][t->first + i].there)
			t->fails = true;
}

static void apply_clone(const struct trial *t)
{
	for (unsigned i = 0; i < t->op.n; i++) {
		struct page *p = &pages[t->s][t->region][t->first + i];

		if (!(t->op.rights & NK_W))
			p->rights &= ~NK_W;
		if (p->there)
			pages[t->s2][t->region][t->first + i] = *p;
	}
}

static void choose_donate(struct trial *t)
{
	t->op.kind = NK_DONATE;
	t->op.n = 1 + rnd(8);
	t->op.frames = t->frames;
	for (unsigned i = 0; i < t->op.n; i++) {
		uint64_t pa = rnd(200) == 0 ? bad_frame() : plain_frame();
		const struct nk_frame *f = (pa & PAGE_MASK) == 0 && pa < MODEL_SIZE
						   ? frame_lookup(pa)
						   : NULL;

		t->frames[i] = PADDR(pa);
		if (f == NULL || f->type != NK_T_PLAIN)
			t->fails = true;
		else
			memset(model_raw(pa), 0xa5, PAGE_SIZE);
	}
}

static void choose_space(struct trial *t)
{
	t->s = 1 + rnd(SPACES);
	if (space[t->s].v == 0) {
		t->op.kind = NK_SPACE_CREATE;
		t->op.base = PADDR(rnd(20) == 0 ? bad_frame() : plain_frame());
		t->fails = !mappable(t, t->op.base.v) ||
			   frame_lookup(t->op.base.v)->type != NK_T_PLAIN;
	} else {
		t->op.kind = NK_SPACE_DESTROY;
		t->op.space = space[t->s];
		t->fails = space[t->s].v == nk_space_current().v;
	}
}

/* What PrivUser has; nk takes nothing else. */
static void good_descriptors(uint64_t d[LDT_LEN])
{
	uint64_t in = (uint64_t)nk_priv_enter, out = (uint64_t)nk_priv_exit;

	d[0] = 0;
	d[1] = 0x00afbb000000ffff;
	d[2] = 0x00cfdb000000ffff;
	d[3] = 0x00cfd3000000ffff;
	d[4] = (in & 0xffff) | 0x0d0000 | 0xecull << 40 | (in >> 16 & 0xffff) << 48;
	d[5] = in >> 32;
	d[6] = (out & 0xffff) | 0x0d0000 | 0xccull << 40 | (out >> 16 & 0xffff) << 48;
	d[7] = out >> 32;
}

static void choose_ldt(struct trial *t)
{
	uint64_t d[LDT_LEN];

	t->s = 1 + rnd(SPACES);
	t->op = (struct nk_op){ .kind = NK_LDT,
				.space = space[t->s],
				.n = LDT_LEN,
				.base = PADDR(rnd(8) == 0 ? bad_frame() : plain_frame()),
				.frames = t->frames };
	t->may_lack_tables = true;
	good_descriptors(d);
	if (rnd(4) == 0) {
		/* Any bit of base, type, ring, presence, size; not read/write, not code or data. */
		static const uint8_t bits[] = {
			16, 31, 39, 40, 42, 44, 45, 46, 47, 53, 54, 56, 63
		};

		d[1 + rnd(3)] ^= 1ull << bits[rnd(ARRAY_SIZE(bits))];
		t->fails = true;
	}
	for (unsigned i = 0; i < LDT_LEN; i++)
		t->frames[i] = PADDR(d[i]);
	if (space[t->s].v == 0 || (t->op.base.v & PAGE_MASK) != 0 || t->op.base.v >= MODEL_SIZE ||
	    frame_lookup(t->op.base.v) == NULL || frame_lookup(t->op.base.v)->type != NK_T_PLAIN ||
	    nk_entry(space[t->s], LDT_VA) != 0)
		t->fails = true;
}

static void choose_rest(struct trial *t)
{
	if (rnd(2) == 0) {
		choose_ldt(t);
		return;
	}
	t->op.kind = rnd(8) != 0 ? NK_RECLAIM : NK_CHUNK_ONLINE;
	t->op.n = 1 + rnd(8);
	if (t->op.kind == NK_CHUNK_ONLINE) {
		t->may_lack_tables = true;
		t->op.base = PADDR(rnd(MODEL_CHUNKS + 1) * CHUNK_SIZE);
		t->fails = t->op.base.v < 2 * CHUNK_SIZE || t->op.base.v >= 6 * CHUNK_SIZE ||
			   frame_lookup(t->op.base.v) != NULL;
	}
}

static void choose(struct trial *t)
{
	uint64_t what = rnd(100);

	memset(t, 0, sizeof(*t));
	if (what < 40)
		choose_map(t);
	else if (what < 75)
		choose_change(t);
	else if (what < 85)
		choose_clone(t);
	else if (what < 91 && nk_stat.pool < 64)
		choose_donate(t);
	else if (what < 96)
		choose_space(t);
	else
		choose_rest(t);
}

static void apply(const struct trial *t)
{
	switch (t->op.kind) {
	case NK_MAP: apply_map(t); break;
	case NK_CLONE: apply_clone(t); break;
	case NK_SPACE_CREATE: space[t->s] = (nk_space_t){ t->op.base.v }; break;
	case NK_SPACE_DESTROY:
		space[t->s].v = 0;
		memset(pages[t->s], 0, sizeof(pages[t->s]));
		break;
	case NK_UNMAP:
	case NK_PROTECT:
	case NK_PROTECT_RO: apply_change(t); break;
	default: break;
	}
}

static err_t submit(const struct nk_op *ops, size_t n, size_t *done)
{
	struct nk_result r = nk_submit_secure(ops, n);

	*done = r.done;
	return (err_t)r.err;
}

static void check_step(unsigned step, const struct nk_op *op, err_t err)
{
	const char *wrong = model_check();

	if (wrong != NULL)
		fail_msg("step %u, operation %d (%s): %s", step, op->kind,
			 err == OK ? "done" : "failed", wrong);
}

static void one_step(unsigned step)
{
	struct model_snapshot *before = NULL;
	struct trial t;
	size_t done;
	err_t err;

	touch_some();
	choose(&t);
	if (t.fails || rnd(64) == 0)
		before = model_snapshot();
	err = submit(&t.op, 1, &done);
	assert_int_equal(done, err == OK);
	if (err == E_NOTABLES && !t.fails)
		assert_true(t.may_lack_tables && nk_stat.pool < NK_TABLES_PER_OP);
	else if (t.fails == (err == OK))
		fail_msg("step %u: operation %d answers %d, should %s", step, t.op.kind, err,
			 t.fails ? "fail" : "succeed");
	if (err == OK)
		apply(&t);
	else if (before != NULL && !model_unchanged(before))
		fail_msg("step %u: operation %d failed and has changed something", step, t.op.kind);
	if (step % 8 == 0 || t.op.kind == NK_SPACE_DESTROY)
		check_step(step, &t.op, err);
	compare(t.s);
	compare(t.s2);
}

static unsigned steps(void)
{
	const char *text = getenv("NK_STEPS");

	return text != NULL ? (unsigned)atoi(text) : STEPS;
}

static int reset(void **state)
{
	const char *seed = getenv("NK_SEED");

	(void)state;
	random_state = seed != NULL ? strtoull(seed, NULL, 0) : 0x9e3779b97f4a7c15ull;
	memset(space, 0, sizeof(space));
	memset(pages, 0, sizeof(pages));
	model_reset();
	return 0;
}

static void random_operations(void **state)
{
	(void)state;
	for (unsigned step = 0; step < steps(); step++)
		one_step(step);
	assert_true(nk_stat.ops[NK_MAP] > steps() / 20);
	assert_true(nk_stat.ops[NK_CLONE] > steps() / 100);
	assert_true(nk_stat.ops[NK_SPACE_DESTROY] > steps() / 1000);
}

/* Batches: the invariants hold after them, and the operations before the failing one are done. */
static void random_batches(void **state)
{
	static struct trial t[16];
	static struct nk_op ops[16];

	(void)state;
	for (unsigned step = 0; step < steps() / 10; step++) {
		size_t n = 1 + rnd(16), done;
		err_t err;

		touch_some();
		for (size_t i = 0; i < n; i++) {
			do
				choose(&t[i]);
			while (t[i].op.kind == NK_SPACE_DESTROY || t[i].op.kind == NK_SPACE_CREATE);
			ops[i] = t[i].op;
		}
		if (step % 16 == 0) {
			choose_space(&t[0]);
			n = 1;
			ops[0] = t[0].op;
		}
		err = submit(ops, n, &done);
		assert_int_equal(done == n, err == OK);
		if (done == 1 && step % 16 == 0)
			apply(&t[0]);
		check_step(step, &ops[done < n ? done : n - 1], err);
		read_back();
	}
}

/* ---- hostile: every field may hold anything ---- */

static uint64_t garbage(void)
{
	static const uint64_t edges[] = {
		0,
		1,
		PAGE_SIZE,
		USER_END,
		USER_END - PAGE_SIZE,
		0x800000000000,
		DM_BASE,
		DM_BASE + CHUNK_SIZE,
		IMAGE_BASE,
		RING_BASE,
		DEV_BASE,
		KWIN_BASE,
		KWIN_END,
		KWIN_END - PAGE_SIZE,
		KERNEL_BASE,
		UINT64_MAX,
		UINT64_MAX & ~PAGE_MASK,
		1ull << 52,
		PA_END,
		PA_END - PAGE_SIZE,
		MODEL_IMAGE,
		MODEL_IMAGE_END,
		MODEL_OTHER,
		CHUNK_SIZE,
		1ull << 63,
	};

	switch (rnd(4)) {
	case 0: return edges[rnd(ARRAY_SIZE(edges))];
	case 1: return rnd(MODEL_SIZE + CHUNK_SIZE) & ~PAGE_MASK;
	case 2: return rnd(UINT64_MAX) & ~PAGE_MASK;
	default: return va_of(rnd(2), rnd(REGIONS), rnd(REGION_PAGES));
	}
}

static struct nk_op hostile_op(void)
{
	static paddr_t frames[NK_MAX_PAGES];
	struct nk_op op = {
		.kind = rnd(NK_OPS + 2),
		.rights = rnd(40),
		.va = garbage(),
		.n = rnd(4) == 0 ? rnd(UINT32_MAX) : rnd(600),
		.base = PADDR(garbage()),
	};

	op.space.v = rnd(2) ? space[rnd(SPACES + 1)].v : garbage();
	op.space2.v = rnd(2) ? space[rnd(SPACES + 1)].v : garbage();
	if (rnd(2) == 0) {
		for (unsigned i = 0; i < NK_MAX_PAGES; i++)
			frames[i] = PADDR(rnd(8) != 0 ? frame_of_set(rnd(FRAMES)) : garbage());
		op.frames = rnd(10) == 0 ? MODEL_BAD_POINTER : frames;
	}
	return op;
}

/*
 * Spaces that hostile operations made or destroyed are no matter of the naive model: find them
 * again.
 */
static void find_spaces(void)
{
	unsigned n = 1;

	memset(space, 0, sizeof(space));
	for (uint64_t pa = CHUNK_SIZE; pa < MODEL_SIZE && n <= SPACES; pa += PAGE_SIZE) {
		const struct nk_frame *f = frame_lookup(pa);

		if (f != NULL && f->type == NK_T_L4 && pa != nk_record.root)
			space[n++].v = pa;
	}
}

static void hostile_operations(void **state)
{
	(void)state;
	for (unsigned step = 0; step < steps() / 2; step++) {
		struct nk_op op = hostile_op();
		struct model_snapshot *before;
		struct trial t;
		size_t done;
		err_t err;

		if (step % 8 == 0) { /* something to damage */
			choose(&t);
			submit(&t.op, 1, &done);
			find_spaces();
		}
		before = step % 4 == 0 ? model_snapshot() : NULL;
		err = submit(&op, 1, &done);
		if (err != OK && err != E_AGAIN && before != NULL)
			assert_true(model_unchanged(before));
		if (err == OK || step % 16 == 0)
			check_step(step, &op, err);
		find_spaces();
	}
	assert_true(nk_stat.refused > steps() / 100);
}

/* ---- single cases ---- */

static void too_many_operations(void **state)
{
	static struct nk_op ops[NK_MAX_OPS + 1];
	size_t done;

	(void)state;
	for (unsigned i = 0; i <= NK_MAX_OPS; i++)
		ops[i] = (struct nk_op){ .kind = NK_RECLAIM, .n = 1 };
	assert_int_equal(submit(ops, NK_MAX_OPS + 1, &done), E_INVAL);
	assert_int_equal(done, 0);
	assert_int_equal(submit(ops, NK_MAX_OPS, &done), OK);
	assert_int_equal(submit(MODEL_BAD_POINTER, 1, &done), E_INVAL);
	assert_int_equal(submit(NULL, 0, &done), OK);
}

static void must(struct nk_op op)
{
	size_t done;

	assert_int_equal(submit(&op, 1, &done), OK);
	assert_null(model_check());
}

static nk_space_t space_with_pool(void)
{
	nk_space_t s = { frame_of_set(FRAMES) };

	must((struct nk_op){ .kind = NK_DONATE, .n = 32, .base = PADDR(frame_of_set(FRAMES + 1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	return s;
}

/* P1 and P2: whatever breaks them is refused, with the reason, and nothing has changed. */
static void ldt_rules(void **state)
{
	static const struct {
		unsigned at;
		uint64_t value;
		const char *reason;
	} bad[] = {
		{ 1, 0x00afdb000000ffff, "P2: 64-bit code, not of ring 1" }, /* of ring 2 */
		{ 1, 0x00af9b000000ffff, "P2: 64-bit code, not of ring 1" }, /* of ring 0 */
		{ 1, 0x00affb000000ffff, "P2: 64-bit code, not of ring 1" }, /* of ring 3 */
		{ 2, 0x00cfbb000000ffff, "P1: segment that is not of ring 2 and 32 bits" },
		{ 2, 0x00cf9b000000ffff, "P1: segment that is not of ring 2 and 32 bits" },
		{ 2, 0x008fdb000000ffff, "P1: segment that is not of ring 2 and 32 bits" }, /* 16 */
		{ 3, 0x00cf93000000ffff, "P1: segment that is not of ring 2 and 32 bits" },
		{ 2, 0x00cfdf000000ffff, "segment of an unusual kind in an LDT" }, /* conforming */
		{ 2, 0x01cfdb000000ffff, "segment of an unusual kind in an LDT" }, /* base */
		{ 3, 0x00cfd3000001ffff, "segment of an unusual kind in an LDT" }, /* base */
		{ 3, 0x00cfd7000000ffff, "segment of an unusual kind in an LDT" }, /* downward */
		{ 3, 0x00cfd2000000ffff, "segment of an unusual kind in an LDT" }, /* accessed */
		{ 3, 0x0000e200000d0000,
		  /* an LDT */
		  "system descriptor that is no call gate in an LDT" },
		{ 3, 0x00008900000d0000, "system descriptor that is no call gate in an LDT" },
		{ 3, 0x0000ee00000d0000, "system descriptor that is no call gate in an LDT" },
		{ 4, 0x0000ec00000d1000, "gate that does not lead to nk's" },
	};
	nk_space_t s = space_with_pool();
	uint64_t good[LDT_LEN], d[LDT_LEN + 1] = { 0 };
	struct nk_op op = { .kind = NK_LDT,
			    .space = s,
			    .base = PADDR(frame_of_set(0)),
			    .n = LDT_LEN,
			    .frames = (const paddr_t *)d };
	size_t done;

	(void)state;
	good_descriptors(good);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		memcpy(d, good, sizeof(good));
		d[bad[i].at] = bad[i].value;
		assert_int_equal(submit(&op, 1, &done), E_REFUSED);
		if (strcmp(nk_stat.last_reason, bad[i].reason) != 0)
			fail_msg("number %u: %s, not: %s", i, nk_stat.last_reason, bad[i].reason);
		assert_null(model_check());
	}
	memcpy(d, good, sizeof(good));
	d[8] = good[7]; /* what nk has copied before: its other half */
	op.n = LDT_LEN + 1;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	op.n = LDT_LEN;
	d[6] = 0;
	d[7] = good[6]; /* half a gate */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	memcpy(d, good, sizeof(good));
	d[4] = good[4] | 2ull << 40; /* an interrupt gate */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	d[4] = (good[4] & ~0xffff0000ull) | 0x150000; /* to ring 2's segment, by RPL 1 */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	d[4] = good[4];
	d[4] ^= 3ull << 45; /* ring 3's gate for ring 0 */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	d[4] = (good[4] & ~0xffff0000ull) | 0x160000; /* to ring 2's segment */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	d[4] = (good[6] & ~(3ull << 45)) | 3ull << 45; /* ring 3 into the exit */
	d[5] = good[7];
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	memcpy(d, good, sizeof(good));
	op.n = LDT_LEN + 1;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	op.n = LDT_LEN;
	op.space.v = 0;
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.space = s;
	must(op);
	op.base = PADDR(frame_of_set(1));
	assert_int_equal(submit(&op, 1, &done), E_EXIST);
	must((struct nk_op){ .kind = NK_SPACE_DESTROY, .space = s });
	assert_int_equal(frame_lookup(frame_of_set(0))->type, NK_T_PLAIN);
}

/* "No supervisor page below 4 GiB other than PrivUser, ever", and PrivUser in no other way. */
static void priv_rules(void **state)
{
	nk_space_t s = space_with_pool();
	struct nk_op op = { .kind = NK_MAP,
			    .space = s,
			    .va = 0xc0000000,
			    .n = 2,
			    .base = PADDR(frame_of_set(0)),
			    .rights = NK_R | NK_W | NK_PRIV };
	struct nk_op other = op;
	size_t done;

	(void)state;
	must(op);
	assert_int_equal(nk_entry(s, op.va) & (NK_PTE_P | NK_PTE_U | NK_PTE_W),
			 NK_PTE_P | NK_PTE_W);
	other.va = 0x400000;
	other.rights = NK_R; /* to ring 3 */
	assert_int_equal(submit(&other, 1, &done), E_REFUSED);
	other.space.v = 0; /* to a window */
	other.va = KWIN_BASE;
	assert_int_equal(submit(&other, 1, &done), E_REFUSED);
	op.kind = NK_PROTECT;
	op.rights = NK_R | NK_W; /* out of PrivUser */
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.rights = NK_R | NK_W | NK_X | NK_PRIV;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	op.rights = NK_R | NK_PRIV;
	must(op);
	must((struct nk_op){ .kind = NK_DONATE, .n = 1, .base = PADDR(frame_of_set(FRAMES + 60)) });
	other = (struct nk_op){ .kind = NK_DONATE, .n = 1, .base = PADDR(frame_of_set(0)) };
	assert_int_equal(submit(&other, 1, &done), E_REFUSED);
	/* A user page does not become one either, and nothing lies above 4 GiB. */
	op = (struct nk_op){ .kind = NK_MAP,
			     .space = s,
			     .va = 0x500000,
			     .n = 1,
			     .base = PADDR(frame_of_set(8)),
			     .rights = NK_R };
	must(op);
	op.kind = NK_PROTECT;
	op.rights = NK_R | NK_PRIV;
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.kind = NK_MAP;
	op.va = PRIV_END - PAGE_SIZE;
	op.base = PADDR(frame_of_set(9));
	op.n = 2;
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.n = 1;
	must(op);
}

/* A frame named twice in one donation is in the pool once. */
static void donate_twice(void **state)
{
	paddr_t frames[3] = { { model_first_plain },
			      { model_first_plain },
			      { model_first_plain + PAGE_SIZE } };

	(void)state;
	must((struct nk_op){ .kind = NK_DONATE, .n = 3, .frames = frames });
	assert_int_equal(nk_stat.pool, 2);
	must((struct nk_op){ .kind = NK_RECLAIM, .n = 64 });
	assert_int_equal(nk_stat.pool, 0);
	assert_int_equal(nk_stat.reclaimed_n, 2);
}

/* Ranges end where programs' addresses and the windows end. */
static void borders(void **state)
{
	struct nk_op op = { .kind = NK_MAP, .rights = NK_R, .base = PADDR(frame_of_set(0)) };
	nk_space_t s = { frame_of_set(FRAMES) };
	size_t done;

	(void)state;
	must((struct nk_op){ .kind = NK_DONATE, .n = 32, .base = PADDR(frame_of_set(FRAMES + 1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	for (unsigned n = 1; n <= 3; n++) {
		err_t want = n == 1 ? OK : E_INVAL;

		op.n = n;
		op.space = s;
		op.va = USER_END - PAGE_SIZE;
		assert_int_equal(submit(&op, 1, &done), want);
		op.va = USER_MIN + PAGE_SIZE - n * PAGE_SIZE;
		assert_int_equal(submit(&op, 1, &done), want);
		op.space.v = 0;
		op.base = PADDR(frame_of_set(8));
		op.va = KWIN_END - PAGE_SIZE;
		assert_int_equal(submit(&op, 1, &done), want);
		op.va = KWIN_BASE + PAGE_SIZE - n * PAGE_SIZE;
		assert_int_equal(submit(&op, 1, &done), want);
	}
	op.va = KWIN_BASE + PAGE_SIZE;
	op.n = NK_MAX_PAGES + 1;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	op.n = 0;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	assert_null(model_check());
}

/* 65535 writable mappings of one frame are the most there can be. */
static void count_limit(void **state)
{
	nk_space_t s = { frame_of_set(FRAMES) };
	static paddr_t frames[NK_MAX_PAGES];
	err_t err = OK;
	size_t done;

	(void)state;
	must((struct nk_op){
		.kind = NK_DONATE, .n = 200, .base = PADDR(frame_of_set(FRAMES + 1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	for (unsigned i = 0; i < NK_MAX_PAGES; i++)
		frames[i] = PADDR(frame_of_set(0));
	for (unsigned i = 0; i < 130 && err == OK; i++) {
		struct nk_op op = { .kind = NK_MAP,
				    .space = s,
				    .va = CHUNK_SIZE * (i + 1),
				    .n = 512,
				    .frames = frames,
				    .rights = NK_R | NK_W };

		err = submit(&op, 1, &done);
	}
	assert_int_equal(err, E_REFUSED);
	assert_in_range(frame_lookup(frame_of_set(0))->wmaps, 60000, UINT16_MAX);
	assert_null(model_check());
}

/* Destroying a large space takes several calls, each bounded. */
static void destroy_in_pieces(void **state)
{
	struct nk_op op = { .kind = NK_SPACE_DESTROY };
	unsigned calls = 1;
	size_t done;

	(void)state;
	op.space.v = frame_of_set(FRAMES);
	must((struct nk_op){
		.kind = NK_DONATE, .n = 200, .base = PADDR(frame_of_set(FRAMES + 1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(op.space.v) });
	for (unsigned i = 0; i < 100; i++)
		must((struct nk_op){ .kind = NK_MAP,
				     .space = op.space,
				     .va = CHUNK_SIZE * (i + 1),
				     .n = 3,
				     .base = PADDR(frame_of_set(0)),
				     .rights = NK_R });
	while (submit(&op, 1, &done) == E_AGAIN) {
		assert_null(model_check());
		calls++;
	}
	assert_int_equal(calls, 4);
	assert_int_equal(nk_stat.pool, 200);
	assert_int_equal(frame_lookup(op.space.v)->type, NK_T_PLAIN);
	assert_null(model_check());
}

static void devices(void **state)
{
	struct nk_op op = { .kind = NK_DEVICE_MAP,
			    .va = DEV_BASE + PAGE_SIZE,
			    .n = 2,
			    .base = PADDR(MODEL_DEVICE) };
	size_t done;

	(void)state;
	assert_int_equal(submit(&op, 1, &done), E_NOTABLES);
	must((struct nk_op){ .kind = NK_DONATE, .n = 8, .base = PADDR(frame_of_set(0)) });
	must(op);
	assert_int_equal(nk_entry((nk_space_t){ 0 }, op.va + PAGE_SIZE),
			 (MODEL_DEVICE + PAGE_SIZE) | NK_PTE_P | NK_PTE_W | NK_PTE_NX | PTE_PWT |
				 PTE_PCD);
	assert_int_equal(submit(&op, 1, &done), E_EXIST);
	op.va += CHUNK_SIZE;
	op.base = PADDR(MODEL_OTHER);
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.base = PADDR(nk_record.lapic);
	assert_int_equal(submit(&op, 1, &done), E_REFUSED);
	op.base = PADDR(MODEL_DEVICE);
	op.va = KWIN_BASE;
	assert_int_equal(submit(&op, 1, &done), E_INVAL);
	assert_null(model_check());
}

static void registers(void **state)
{
	(void)state;
	nk_set_fs_base(0x7fffffffffff);
	assert_int_equal(model_fs, 0x7fffffffffff);
	nk_set_fs_base(0x800000000000);
	nk_set_gs_base(0xffff800000000000);
	nk_tsc_deadline(1);
	assert_int_equal(model_msr_writes, 1);
	assert_int_equal(nk_x2apic_write(0x80b, 0), E_REFUSED);
	nk_record.x2apic = true;
	nk_record.tsc_deadline = true;
	nk_tsc_deadline(1);
	assert_int_equal(nk_x2apic_write(0x80b, 0), OK);
	assert_int_equal(nk_x2apic_write(0x830, 0x4041), OK);
	assert_int_equal(nk_x2apic_write(0x830, 0x4500), E_REFUSED); /* INIT */
	assert_int_equal(nk_x2apic_write(0x830, 0x4608), E_REFUSED); /* start-up */
	assert_int_equal(nk_x2apic_write(0x830, 0x200), E_REFUSED);  /* SMI */
	assert_int_equal(nk_x2apic_write(0x830, 0x4640), E_REFUSED); /* start-up at 256 KiB */
	assert_int_equal(nk_x2apic_write(0x830, 0x4011), E_REFUSED); /* vector of an exception */
	assert_int_equal(nk_x2apic_write(0x83f, 0x11), E_REFUSED);
	assert_int_equal(nk_x2apic_write(0x833, 0), E_REFUSED);
	assert_int_equal(nk_x2apic_write(0x1b, 0), E_REFUSED);
	assert_int_equal(model_msr_writes, 4);
}

static void loading(void **state)
{
	nk_space_t s = { frame_of_set(0) };
	struct nk_op destroy = { .kind = NK_SPACE_DESTROY, .space = s };
	size_t done;

	(void)state;
	assert_int_equal(nk_space_load(s), E_REFUSED);
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	assert_int_equal(nk_space_load((nk_space_t){ s.v + 8 }), E_REFUSED);
	assert_int_equal(nk_space_load((nk_space_t){ MODEL_OTHER }), E_REFUSED);
	assert_int_equal(nk_space_load((nk_space_t){ 0 }), E_REFUSED);
	assert_int_equal(nk_space_load(s), OK);
	assert_int_equal(nk_space_current().v, s.v);
	assert_int_equal(submit(&destroy, 1, &done), E_BUSY);
	assert_int_equal(nk_space_load((nk_space_t){ nk_record.root }), OK);
	must(destroy);
}

static void reading(void **state)
{
	nk_space_t s = { frame_of_set(0) };

	(void)state;
	must((struct nk_op){ .kind = NK_DONATE, .n = 8, .base = PADDR(frame_of_set(1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	assert_int_equal(nk_next_table(s, 0, USER_END), USER_END);
	assert_null(nk_table_of(s, 0x400000));
	must((struct nk_op){ .kind = NK_MAP,
			     .space = s,
			     .va = 0x7f0000401000,
			     .n = 1,
			     .base = PADDR(frame_of_set(20)),
			     .rights = NK_R });
	assert_int_equal(nk_next_table(s, 0, USER_END), 0x7f0000400000);
	assert_int_equal(nk_next_table(s, 0x7f0000401000, USER_END), 0x7f0000400000);
	assert_int_equal(nk_next_table(s, 0x7f0000600000, USER_END), USER_END);
	assert_int_equal(nk_table_of(s, 0x7f0000400000)[1], nk_entry(s, 0x7f0000401000));
	assert_int_equal(nk_entry(s, 0x7f0000400000), 0);
}

/* The checks themselves: each kind of damage must be seen. */
static void damage_is_seen(void **state)
{
	nk_space_t s = { frame_of_set(0) };
	uint64_t *slot, *direct, old;
	struct nk_frame *f;

	(void)state;
	must((struct nk_op){ .kind = NK_DONATE, .n = 8, .base = PADDR(frame_of_set(1)) });
	must((struct nk_op){ .kind = NK_SPACE_CREATE, .base = PADDR(s.v) });
	must((struct nk_op){ .kind = NK_MAP,
			     .space = s,
			     .va = 0x400000,
			     .n = 2,
			     .base = PADDR(frame_of_set(20)),
			     .rights = NK_R });
	slot = table_find(s.v, 0x400000);
	old = *slot;
	*slot = old | NK_PTE_W;
	assert_string_equal(model_check(), "count of mappings is wrong");
	*slot = s.v | NK_PTE_P | NK_PTE_U;
	assert_string_equal(model_check(), "frame of a wrong type in a program");
	*slot = MODEL_IMAGE | NK_PTE_P | NK_PTE_U | NK_PTE_W;
	assert_string_equal(model_check(), "root image is writable");
	*slot = old & ~NK_PTE_U;
	assert_string_equal(model_check(), "page of the kernel in a program's half");
	*slot = old;
	direct = table_slot(nk_record.root, DM_BASE + s.v, 1);
	*direct |= NK_PTE_W;
	assert_string_equal(model_check(), "protected frame is writable in the direct map");
	*direct &= ~NK_PTE_W;
	f = frame_lookup(frame_of_set(20));
	f->maps++;
	assert_string_equal(model_check(), "count of mappings is wrong");
	f->maps--;
	((uint64_t *)model_raw(s.v))[300] = 1;
	assert_string_equal(model_check(), "kernel's half differs between spaces");
	((uint64_t *)model_raw(s.v))[300] = 0;
	assert_int_equal(nk_space_load(s), OK);
	model_touch(0x400000);
	*slot = 0;
	assert_non_null(model_check());
	*slot = old;
	assert_null(model_check());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(too_many_operations, reset),
		cmocka_unit_test_setup(donate_twice, reset),
		cmocka_unit_test_setup(ldt_rules, reset),
		cmocka_unit_test_setup(priv_rules, reset),
		cmocka_unit_test_setup(borders, reset),
		cmocka_unit_test_setup(count_limit, reset),
		cmocka_unit_test_setup(destroy_in_pieces, reset),
		cmocka_unit_test_setup(devices, reset),
		cmocka_unit_test_setup(registers, reset),
		cmocka_unit_test_setup(loading, reset),
		cmocka_unit_test_setup(reading, reset),
		cmocka_unit_test_setup(damage_is_seen, reset),
		cmocka_unit_test_setup(random_operations, reset),
		cmocka_unit_test_setup(random_batches, reset),
		cmocka_unit_test_setup(hostile_operations, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
