/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's standard streams, the control port, and the way out. */
#include <linux/virtio_ids.h>

#include "abi/control.h"
#include "base/fmt.h"
#include "base/str.h"
#include "comp/drv/virtio_serial/virtio_serial.h"
#include "kernel/core/core.h"
#include "kernel/task/task.h"
#include "kernel/vfs/console.h"
#include "kernel/vfs/control.h"
#include "kernel/vfs/tty.h"
#include "kernel/x86/x86.h"

/* On the way down: how long the host may take nothing before the rest of the output is given up. */
#define DRAIN_NS 30000000000ull
#define SPIN_NS  2000000ull
#define NAP_NS   10000000ull

#define HANDSHAKE_NS 100000000ull

#define NPORTS 5u

static struct serial_port *ports[NPORTS]; /* by enum boot_port; NULL: none */
static bool have_vserial;
static uint64_t lines_lost;

static struct {
	char text[CONTROL_LINE_MAX];
	size_t len;
	bool too_long;
	size_t data_left; /* bytes behind the line that was read last */
} line;

const struct control_user *control_user;
void (*control_time)(uint64_t ns);

/* ---- lines to the host ---- */

/* Room for a whole line is asked of the device in one piece: a line is never torn. */
static bool put_line(struct serial_port *p, const char *text, size_t len)
{
	if (serial_put(p, text, len))
		return true;
	p->ops->tx_flush(p);
	if (serial_put(p, text, len))
		return true;
	lines_lost++;
	return false;
}

/* A text that is too long goes out as several lines, each with the key. */
static bool send_line(const char *key, const char *text, size_t len)
{
	struct serial_port *p = ports[BOOT_PORT_CONTROL];
	char buf[256];
	size_t klen = strlen(key);

	if (p == NULL)
		return false;
	do {
		size_t n = len < sizeof(buf) - klen - 1 ? len : sizeof(buf) - klen - 1;

		memcpy(buf, key, klen);
		memcpy(buf + klen, text, n);
		buf[klen + n] = '\n';
		if (!put_line(p, buf, klen + n + 1))
			return false;
		text += n;
		len -= n;
	} while (len > 0);
	p->ops->tx_flush(p);
	return true;
}

bool control_send(const char *text, const void *data, size_t len)
{
	struct serial_port *p = ports[BOOT_PORT_CONTROL];
	size_t head = strlen(text);
	size_t room;
	uint8_t *to;

	if (p == NULL || p->closed)
		return true;
	BUG_ON(len > CONTROL_DATA_MAX);
	to = p->ops->tx_space(p, &room);
	if (to != NULL && room < head + 1 + len) {
		p->ops->tx_flush(p);
		to = p->ops->tx_space(p, &room);
	}
	if (to == NULL || room < head + 1 + len)
		return false;
	memcpy(to, text, head);
	to[head] = '\n';
	if (len > 0)
		memcpy(to + head + 1, data, len);
	p->ops->tx_commit(p, head + 1 + len);
	p->ops->tx_flush(p);
	return true;
}

void console_control(const char *text)
{
	(void)send_line("", text, strlen(text));
}

static void log_sink(const char *text, size_t len)
{
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl != NULL ? (size_t)(nl - text) : len;

		(void)send_line("log=", text, n);
		text += n + (nl != NULL);
		len -= n + (nl != NULL);
	}
}

void console_ready(void)
{
	console_control("ready");
}

/* ---- lines from the host ---- */

static void on_signal_line(const char *value)
{
	struct task *t = task_find(1);
	uint64_t sig;

	if (!str_to_u64(value, 10, &sig) || sig == 0 || sig > SIG_COUNT) {
		log_warn("console: bad signal number \"%s\" from the host", value);
		return;
	}
	if (t != NULL && signal_send_task(t, (int)sig, NULL) != OK)
		log_warn("console: signal %llu could not be sent", (unsigned long long)sig);
}

bool control_parse_size(const char *s, unsigned *rows, unsigned *cols)
{
	uint64_t r, c;

	if (!str_parse_u64(s, 10, &r, &s) || *s != 'x' || !str_to_u64(s + 1, 10, &c) ||
	    r > UINT16_MAX || c > UINT16_MAX)
		return false;
	*rows = (unsigned)r;
	*cols = (unsigned)c;
	return true;
}

static void on_winsize_line(const char *value)
{
	unsigned rows, cols;

	if (!control_parse_size(value, &rows, &cols))
		log_warn("console: bad window size \"%s\" from the host", value);
	else if (console_tty != NULL)
		tty_set_winsize(console_tty, rows, cols);
}

static void on_time_line(const char *value)
{
	uint64_t ns;

	if (!str_to_u64(value, 10, &ns))
		log_warn("console: bad time \"%s\" from the host", value);
	else if (control_time != NULL)
		control_time(ns);
}

static void on_line(const char *text)
{
	if (str_starts(text, "signal="))
		on_signal_line(text + 7);
	else if (str_starts(text, "winsize="))
		on_winsize_line(text + 8);
	else if (str_starts(text, "time="))
		on_time_line(text + 5);
	else if (strcmp(text, "eof") == 0)
		portfile_input_ends();
	else if (control_user == NULL || !control_user->line(text, &line.data_left))
		log_warn("console: the host says \"%.60s\", which is not understood", text);
}

static void on_char(char c)
{
	if (c == '\n') {
		line.text[line.len] = '\0';
		if (!line.too_long)
			on_line(line.text);
		line.len = 0;
		line.too_long = false;
	} else if (line.len < sizeof(line.text) - 1) {
		line.text[line.len++] = c;
	} else {
		line.too_long = true;
	}
}

static void on_bytes(const char *data, size_t len)
{
	while (len > 0) {
		size_t n = line.data_left < len ? line.data_left : len;

		if (n == 0) {
			on_char(*data);
			n = 1;
		} else {
			line.data_left -= n;
			control_user->data(data, n);
		}
		data += n;
		len -= n;
	}
}

static void on_control_room(struct serial_port *p)
{
	(void)p;
	if (control_user != NULL)
		control_user->room();
}

static void on_control_input(struct serial_port *p)
{
	const char *data;
	size_t len;

	while ((data = p->ops->rx_data(p, &len)) != NULL) {
		on_bytes(data, len);
		p->ops->rx_take(p, len);
	}
	p->ops->rx_done(p);
}

/* ---- start ---- */

void console_init(void)
{
	static bool done;
	struct virtio_dev *d;

	if (done)
		return;
	done = true;
	d = virtio_claim(VIRTIO_ID_CONSOLE);
	if (d != NULL) {
		err_t err = vserial_init(d);

		have_vserial = err == OK;
		if (err != OK)
			log_error("console: virtio-serial does not work (%s); using COM1",
				  err_text(err));
	}
	if (!have_vserial)
		return;
	for (unsigned nr = BOOT_PORT_STDIN; nr <= BOOT_PORT_CONTROL; nr++)
		ports[nr] = vserial_port(nr);
	if (ports[BOOT_PORT_CONTROL] != NULL) {
		ports[BOOT_PORT_CONTROL]->on_input = on_control_input;
		ports[BOOT_PORT_CONTROL]->on_room = on_control_room;
		user_log_sink = log_sink;
	}
}

/* One stream for all three descriptors. */
static err_t open_com1(struct file *std[3])
{
	struct serial_port *p = com1_port();

	TRY(portfile_create(p, p, &std[0]));
	std[1] = file_get(std[0]);
	std[2] = file_get(std[0]);
	return OK;
}

/* The port that carries the terminal's output: standard output's if that is the terminal, else
 * standard error's. */
static struct serial_port *tty_output(uint64_t mask)
{
	if (!have_vserial)
		return com1_port();
	if (mask & (1u << 1))
		return ports[BOOT_PORT_STDOUT];
	return mask & (1u << 2) ? ports[BOOT_PORT_STDERR] : NULL;
}

static err_t open_std(unsigned fd, struct file **out)
{
	struct serial_port *p = ports[BOOT_PORT_STDIN + fd];

	return fd == 0 ? portfile_create(p, NULL, out) : portfile_create(NULL, p, out);
}

static err_t open_with_tty(struct file *std[3], const char *size)
{
	const char *mask_text = run_config_get("tty-out", 0);
	struct serial_port *in = have_vserial ? ports[BOOT_PORT_STDIN] : com1_port();
	uint64_t mask = 7;
	unsigned rows, cols;

	if (!control_parse_size(size, &rows, &cols) ||
	    (mask_text != NULL && !str_to_u64(mask_text, 10, &mask)))
		return E_INVAL;
	if (!have_vserial)
		mask = 7;
	TRY(console_tty_create(mask & 1 ? in : NULL, tty_output(mask), rows, cols));
	for (unsigned fd = 0; fd < 3; fd++)
		TRY(mask & (1u << fd) ? console_tty_file(&std[fd]) : open_std(fd, &std[fd]));
	return OK;
}

err_t console_open_standard(struct file *std[3])
{
	const char *tty = run_config_get("tty", 0);
	err_t err = OK;

	std[0] = std[1] = std[2] = NULL;
	console_init();
	TRY(tty_register_devices());
	if (tty != NULL)
		err = open_with_tty(std, tty);
	else if (!have_vserial)
		err = open_com1(std);
	else
		for (unsigned fd = 0; fd < 3 && err == OK; fd++)
			err = open_std(fd, &std[fd]);
	for (unsigned fd = 0; fd < 3 && err != OK; fd++) {
		if (std[fd] != NULL)
			file_put(std[fd]);
		std[fd] = NULL;
	}
	if (err == OK && current != NULL)
		console_attach(current_task);
	return err;
}

/* ---- the way out ---- */

static unsigned pending(void)
{
	unsigned n = 0;

	for (unsigned nr = 0; nr < NPORTS; nr++)
		if (ports[nr] != NULL && !ports[nr]->closed)
			n += ports[nr]->ops->tx_pending(ports[nr]);
	return n;
}

static void nap_over(struct timer *t)
{
	(void)t;
}

/* Wait until the device has taken all output. Everything is quick when the host reads; when it does
 * not, the core sleeps between looks. */
static void drain(void)
{
	static struct timer nap;
	uint64_t begin = time_mono_ns(), last_progress = begin;
	unsigned before = pending();

	while (before > 0) {
		uint64_t now = time_mono_ns();
		unsigned n;

		vserial_poll();
		n = pending();
		if (n < before)
			last_progress = now;
		before = n;
		if (now - last_progress > DRAIN_NS) {
			log_error("console: the host does not take the last output; it is lost");
			return;
		}
		if (now - begin < SPIN_NS) {
			cpu_relax();
			continue;
		}
		timer_set(&nap, now + NAP_NS, nap_over);
		x86_wait_for_interrupt();
	}
}

/* What the program wrote into its terminal or its port and nobody has sent off yet. */
static void flush_all(void)
{
	for (unsigned nr = 0; nr < NPORTS; nr++)
		if (ports[nr] != NULL)
			ports[nr]->ops->tx_flush(ports[nr]);
	if (!have_vserial && com1_port() != NULL)
		com1_port()->ops->tx_flush(com1_port());
}

/* A program that ends at once may be faster than the device says which ports it has. */
static void await_handshake(void)
{
	struct serial_port *control = ports[BOOT_PORT_CONTROL];
	uint64_t end = time_mono_ns() + HANDSHAKE_NS;

	while (control != NULL && !control->present && time_mono_ns() < end) {
		vserial_poll();
		cpu_relax();
	}
}

/* As a shell shows it. */
static unsigned exit_code(int wait_status)
{
	unsigned sig = (unsigned)wait_status & 0x7f;

	return sig != 0 ? 128 + sig : (unsigned)wait_status >> 8 & 0xff;
}

void console_exit(int wait_status)
{
	struct serial_port *control = ports[BOOT_PORT_CONTROL];
	char text[32];

	flush_all();
	drain();
	await_handshake();
	if (control == NULL || !control->present)
		power_off(BOOT_EXIT_STATUS + (exit_code(wait_status) & 0x1f));
	fmt_snprintf(text, sizeof(text), "exit=%d", wait_status);
	if (!send_line("", text, strlen(text)))
		log_error("console: %s cannot be sent", text);
	drain();
	power_off(BOOT_EXIT_OK);
}
