/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start-up of one core's kernel, after nk and boot. Every core runs the same steps on its own
 * memory.
 */
#include "kernel/core/local.h"

#include "base/str.h"
#include "kernel/core/probe.h"
#include "kernel/msg/msg.h"
#include "kernel/x86/x86.h"

static err_t traps_up(void)
{
	trap_init();
	panic_init();
	return OK;
}

static err_t clock_up(void)
{
	apic_init();
	time_init();
	return OK;
}

static err_t log_up(void)
{
	log_init();
	return OK;
}

static err_t messages_up(void)
{
	msg_init();
	cores_init();
	return OK;
}

/* The wall clock: as the tool says, else the battery's. */
static void set_wall_clock(void)
{
	const char *text = run_config_get("time", 0);
	uint64_t ns;

	if (text != NULL && str_to_u64(text, 10, &ns))
		time_set_real_ns(ns);
	else if (rtc_read_ns(&ns))
		time_set_real_ns(ns);
	else
		log_warn("no battery clock, and no time= given: the date is 1970-01-01");
	if (strcmp(time_source(), "guess") == 0)
		log_warn("the TSC's frequency could not be measured: clocks may run wrong");
}

/* Before there are files: they have times. */
static err_t wall_clock_up(void)
{
	if (boot_info.core == 0)
		set_wall_clock();
	return OK;
}

/* The clock first of all that takes time: it is measured while the rest starts. */
static const struct step {
	const char *name;
	err_t (*init)(void);
} steps[] = {
	{ "traps", traps_up },       { "clock", clock_up },         { "log", log_up },
	{ "messages", messages_up }, { "memory", mem_init },        { "tasks", task_init },
	{ "time", wall_clock_up },   { "files", vfs_init },         { "network", net_init },
	{ "linux", linux_init },     { "privuser", privuser_init },
};

static void run_steps(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		err_t err = steps[i].init();

		if (err == OK) {
			log_debug("%s: up", steps[i].name);
			continue;
		}
		log_error("start-up of %s failed: %s", steps[i].name, err_text(err));
		if (boot_info.core != 0)
			panic("this core cannot start");
		power_off(err == E_NOMEM ? BOOT_EXIT_NOMEM : BOOT_EXIT_FAILED);
	}
}

static void say_what_is_missing(void)
{
	const struct boot_features *f = &boot_info.cpu;

	if (f->smep && f->smap && f->umip && f->nx)
		return;
	log_warn("this CPU lacks:%s%s%s%s (protections that stay off)", f->smep ? "" : " SMEP",
		 f->smap ? "" : " SMAP", f->umip ? "" : " UMIP", f->nx ? "" : " NX");
}

static void divide_by_zero(void)
{
	uint64_t one = 1, zero = 0;

	__asm__ volatile("divq %2" : "+a"(one) : "d"(0), "r"(zero));
}

/* More stack than there is. */
static uint64_t recurse(uint64_t n)
{
	volatile uint64_t room[64];

	room[n % 64] = n;
	if (n == UINT64_MAX)
		return 0;
	return recurse(n + 1) + room[n % 64];
}

/* Another core dies; this one goes on, and answers to the rest still come. */
static void kill_other_core(void)
{
	uint64_t body[MSG_WORDS] = { PROBE_DIE };
	unsigned last = boot_info.ncores - 1;

	while (!(cores_up() >> last & 1))
		if (msg_poll() == 0)
			x86_wait_for_interrupt();
	err_t err = msg_call(last, MSG_probe, body, 0);

	log_error("call to core %u: %s", last, err_text(err));
	body[0] = PROBE_GET;
	for (unsigned c = 1; c < last; c++)
		if (msg_call(c, MSG_probe, body, 0) != OK)
			BUG();
	power_off(err == E_NODEV && msg_send(last, MSG_probe, body) == E_INVAL ? BOOT_EXIT_OK
									       : BOOT_EXIT_FAILED);
}

/* panic=WHAT on the command line: tests of the report. */
static void panic_on_request(const char *what)
{
	if (strcmp(what, "test") == 0)
		panic("asked for on the command line");
	if (strcmp(what, "divide") == 0)
		divide_by_zero();
	if (strcmp(what, "write") == 0)
		*(volatile uint64_t *)KERNEL_BASE = 1;
	if (strcmp(what, "deep") == 0)
		(void)recurse(0);
	if (strcmp(what, "other") == 0 && boot_info.ncores > 1)
		kill_other_core();
	log_error("panic=%s: not known (test, divide, write, deep; with more cores: other)", what);
	power_off(BOOT_EXIT_CONFIG);
}

static NORETURN void start_first_core(void)
{
	const char *what;

	say_what_is_missing();
	what = cmdline_get("panic");
	if (what != NULL)
		panic_on_request(what);
	what = cmdline_get("test");
	if (what != NULL)
		power_off(ktest_run(what) == 0 ? BOOT_EXIT_OK : BOOT_EXIT_FAILED);
	if (run_config_check() != OK)
		power_off(BOOT_EXIT_CONFIG);
	err_t err = linux_run_program();

	if (err != OK) {
		log_error("the program could not be started: %s", err_text(err));
		power_off(BOOT_EXIT_NOPROG);
	}
	msg_poll();
	sched_run();
}

void kernel_main(void)
{
	run_steps();
	if (boot_info.core == 0)
		start_first_core();
	cores_announce_up();
	msg_poll();
	sched_run();
}
