/* SPDX-License-Identifier: BSD-2-Clause */
#include <linux/fcntl.h>

#include "base/fmt.h"
#include "base/hash.h"
#include "base/str.h"
#include "kernel/core/core.h"
#include "kernel/net/local.h"
#include "kernel/net/netconf.h"
#include "kernel/net/netdev.h"
#include "kernel/task/task.h"
#include "kernel/vfs/file.h"
#include "kernel/vfs/path.h"
#include "kernel/x86/x86.h"

#define NAMES_MAX    4u  /* name servers; more does no resolver use */
#define ADDR_TEXT    64u /* of one address */
#define IP6_PREFIX   64u /* lwIP's networks have that length */
#define DEFAULT_NAME "ringfence"
#define NAME_MAX_LEN 64u /* of the machine */

static struct {
	bool off, dhcp, fixed4, fixed6;
	ip4_addr_t addr4, mask4, gateway4;
	ip6_addr_t addr6, gateway6;
	ip_addr_t dns[NAMES_MAX];
	unsigned ndns;
} wish;

static struct waitq changed_q = WAITQ_INIT(changed_q);
static struct timer give_up_timer;
static err_t trouble;          /* with the device */
static bool given_up, started; /* started: the program has been let go */

/* ---- the configuration ---- */

/* The text up to a comma or the end, copied; *s moves behind it. False: it is too long or empty. */
static bool next_part(const char **s, char out[ADDR_TEXT])
{
	const char *comma = strchr(*s, ',');
	size_t n = comma != NULL ? (size_t)(comma - *s) : strlen(*s);

	if (n == 0 || n >= ADDR_TEXT || (comma != NULL && comma[1] == '\0'))
		return false;
	memcpy(out, *s, n);
	out[n] = '\0';
	*s += n + (comma != NULL);
	return true;
}

static bool add_dns(const char *text)
{
	ip_addr_t a;

	if (!ipaddr_aton(text, &a))
		return false;
	if (wish.ndns < NAMES_MAX)
		wish.dns[wish.ndns++] = a;
	return true;
}

static bool set_address4(const ip_addr_t *a, uint64_t bits)
{
	if (wish.fixed4 || wish.dhcp || bits > 32)
		return false;
	wish.fixed4 = true;
	ip4_addr_copy(wish.addr4, *ip_2_ip4(a));
	wish.mask4.addr = bits == 0 ? 0 : lwip_htonl(UINT32_MAX << (32 - bits));
	return true;
}

static bool set_address6(const ip_addr_t *a, uint64_t bits)
{
	if (wish.fixed6 || bits != IP6_PREFIX)
		return false;
	wish.fixed6 = true;
	ip6_addr_copy(wish.addr6, *ip_2_ip6(a));
	return true;
}

/* ADDR/LEN[,GATEWAY[,DNS...]] */
static bool parse_fixed(const char *s)
{
	char text[ADDR_TEXT], *slash;
	ip_addr_t a, gateway;
	uint64_t bits;

	if (!next_part(&s, text) || (slash = strchr(text, '/')) == NULL)
		return false;
	*slash = '\0';
	if (!ipaddr_aton(text, &a) || !str_to_u64(slash + 1, 10, &bits))
		return false;
	if (IP_IS_V4(&a) ? !set_address4(&a, bits) : !set_address6(&a, bits))
		return false;
	if (*s == '\0')
		return true;
	if (!next_part(&s, text) || !ipaddr_aton(text, &gateway) ||
	    IP_GET_TYPE(&gateway) != IP_GET_TYPE(&a))
		return false;
	if (IP_IS_V4(&a))
		ip4_addr_copy(wish.gateway4, *ip_2_ip4(&gateway));
	else
		ip6_addr_copy(wish.gateway6, *ip_2_ip6(&gateway));
	while (*s != '\0')
		if (!next_part(&s, text) || !add_dns(text))
			return false;
	return true;
}

static bool parse_net(const char *s)
{
	if (strcmp(s, "none") == 0)
		return wish.off = true;
	if (strcmp(s, "dhcp") == 0)
		return wish.dhcp = !wish.fixed4;
	return parse_fixed(s);
}

static err_t parse_all(const char *key, bool (*parse)(const char *s))
{
	const char *s;

	for (unsigned i = 0; (s = run_config_get(key, i)) != NULL; i++)
		if (!parse(s)) {
			log_error("run configuration: bad value in \"%s=%s\"", key, s);
			return E_INVAL;
		}
	return OK;
}

static err_t read_wishes(void)
{
	TRY(parse_all("dns", add_dns));
	TRY(parse_all("net", parse_net));
	if (wish.off && (wish.dhcp || wish.fixed4 || wish.fixed6)) {
		log_error("run configuration: net=none and another net=");
		return E_INVAL;
	}
	if (!wish.fixed4)
		wish.dhcp = true;
	return OK;
}

/* ---- files in /etc ---- */

static const char *host_name(void)
{
	const char *name = run_config_get("hostname", 0);

	/* lwIP has room for no more in what it asks of DHCP, and asserts it. */
	return name != NULL && strlen(name) <= NAME_MAX_LEN ? name : DEFAULT_NAME;
}

/* For text that is written piece by piece; it is cut when it is full. */
struct page {
	size_t len;
	char text[1024];
};

static void add(struct page *p, const char *fmt, ...) PRINTF(2, 3);
static void add(struct page *p, const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(p->text) - p->len, n;

	va_start(args, fmt);
	n = fmt_vsnprintf(p->text + p->len, room, fmt, args);
	va_end(args);
	p->len += n < room ? n : room - 1;
}

static void add_address(struct page *p, const char *before, const ip_addr_t *a, const char *after)
{
	char text[IPADDR_STRLEN_MAX];

	add(p, "%s%s%s\n", before, ipaddr_ntoa_r(a, text, sizeof(text)), after);
}

static void make_resolv_conf(struct page *p)
{
	ip_addr_t told[NAMES_MAX];
	unsigned n = net_dns_servers(told, NAMES_MAX);

	for (unsigned i = 0; i < wish.ndns; i++)
		add_address(p, "nameserver ", &wish.dns[i], "");
	for (unsigned i = 0; i < n && wish.ndns + i < NAMES_MAX; i++)
		add_address(p, "nameserver ", &told[i], "");
}

static void make_hosts(struct page *p)
{
	const struct netif *n = netdev_netif();

	add(p, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	if (n != NULL && !ip4_addr_isany(netif_ip4_addr(n))) {
		add_address(p, "", netif_ip_addr4(n), "");
		p->len--; /* the name on the same line */
		add(p, "\t%s\n", host_name());
	} else {
		add(p, "127.0.1.1\t%s\n", host_name());
	}
}

static void make_hostname(struct page *p)
{
	add(p, "%s\n", host_name());
}

/* `mine`: the image has none, or the tool wants ours; decided once. */
static struct etc_file {
	const char *path;
	void (*make)(struct page *p);
	bool mine;
	uint64_t hash; /* of what was written last */
} etc_files[] = {
	{ "/etc/resolv.conf", make_resolv_conf, false, 0 },
	{ "/etc/hosts", make_hosts, false, 0 },
	{ "/etc/hostname", make_hostname, false, 0 },
};

static void decide_files(void)
{
	bool forced = run_config_flag("etc-net");
	struct path p;

	for (size_t i = 0; i < ARRAY_SIZE(etc_files); i++) {
		bool there = path_lookup(AT_FDCWD_, etc_files[i].path, 0, &p) == OK;

		if (there)
			path_put(&p);
		etc_files[i].mine = forced || !there;
	}
}

static err_t write_file(const char *path, char *text, size_t len)
{
	struct file *f;
	struct uio u;
	size_t done = 0;
	err_t err = vfs_mkdir(AT_FDCWD_, "/etc", 0755);

	if (err != OK && err != E_EXIST)
		return err;
	/* Not through a link of the image, which would lead anywhere. */
	err = vfs_unlink(AT_FDCWD_, path, false);
	if (err != OK && err != E_NOENT)
		return err;
	TRY(vfs_open(AT_FDCWD_, path, O_WRONLY | O_CREAT | O_EXCL, 0644, 0, &f));
	uio_kernel(&u, text, len);
	err = file_write(f, &u, &done);
	file_put(f);
	return err;
}

/* Those of ours that say something else than before. */
static void write_files(void)
{
	static struct page page;

	for (size_t i = 0; i < ARRAY_SIZE(etc_files); i++) {
		struct etc_file *f = &etc_files[i];
		uint64_t hash;
		err_t err;

		page.len = 0;
		if (!f->mine)
			continue;
		f->make(&page);
		hash = hash_bytes(page.text, page.len, HASH_SEED);
		if (page.len == 0 || hash == f->hash)
			continue;
		f->hash = hash;
		err = write_file(f->path, page.text, page.len);
		if (err != OK)
			log_warn("network: %s cannot be written: %s", f->path, err_text(err));
	}
}

/* ---- as addresses come and go ---- */

static bool writer_wanted, writer_runs;

static void writer(void *unused)
{
	(void)unused;
	while (writer_wanted) {
		writer_wanted = false;
		write_files();
		wake_all(&changed_q);
	}
	writer_runs = false;
	wake_all(&changed_q);
}

static bool any_mine(void)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(etc_files); i++)
		any |= etc_files[i].mine;
	return any;
}

/* In a thread of the kernel: it may write whatever the program may. */
static void start_writer(void)
{
	if (!any_mine())
		return;
	writer_wanted = true;
	if (writer_runs)
		return;
	writer_runs = kthread_start("netconf", writer, NULL) == OK;
	if (!writer_runs)
		log_warn("network: no memory to write /etc/resolv.conf");
}

static bool have_address4(void)
{
	return !ip4_addr_isany(netif_ip4_addr(netdev_netif()));
}

static void address_changed(struct netif *n)
{
	static ip4_addr_t told;
	char text[IPADDR_STRLEN_MAX];

	if (have_address4()) {
		timer_cancel(&give_up_timer);
		if (!ip4_addr_cmp(&told, netif_ip4_addr(n)))
			log_info("eth0: %s", ip4addr_ntoa_r(netif_ip4_addr(n), text, sizeof(text)));
		ip4_addr_copy(told, *netif_ip4_addr(n));
	}
	wake_all(&changed_q);
	if (started)
		start_writer();
}

static void give_up(struct timer *t)
{
	struct netif *n = netdev_netif();
	struct dhcp *d = netif_dhcp_data(n);

	(void)t;
	given_up = true;
	user_log("network: no DHCP server answers%s; trying an address of 169.254.0.0/16",
		 netif_is_link_up(n) ? "" : " (the link is down)");
	net_enter();
	/* As lwIP does itself, much later: DHCP goes on, and its answer ends this. */
	if (d != NULL && autoip_start(n) == ERR_OK)
		d->autoip_coop_state = DHCP_AUTOIP_COOP_STATE_ON;
	net_leave();
	wake_all(&changed_q);
}

/* ---- beginning ---- */

static void set_addresses6(struct netif *n)
{
	s8_t i;

	netif_create_ip6_linklocal_address(n, 1);
	/* Made of the hardware address, which nobody else has. */
	netif_ip6_addr_set_state(n, 0, IP6_ADDR_PREFERRED);
	netif_set_ip6_autoconfig_enabled(n, 1);
	ip6_addr_assign_zone(&wish.gateway6, IP6_UNICAST, n);
	if (wish.fixed6 && netif_add_ip6_address(n, &wish.addr6, &i) == ERR_OK)
		netif_ip6_addr_set_state(n, i, IP6_ADDR_PREFERRED);
	nd6_tmr(); /* asks for routers now, not in a second */
}

static void set_addresses(struct netif *n)
{
	net_enter();
	netif_set_hostname(n, host_name());
	netif_set_status_callback(n, address_changed);
	if (wish.fixed4)
		netif_set_addr(n, &wish.addr4, &wish.mask4, &wish.gateway4);
	else if (dhcp_start(n) != ERR_OK)
		log_warn("network: DHCP cannot be started");
	if (n->mtu >= IP6_MIN_MTU_LENGTH)
		set_addresses6(n);
	net_leave();
	if (!wish.fixed4)
		timer_set(&give_up_timer, time_mono_ns() + NETCONF_GIVE_UP_NS, give_up);
}

const ip6_addr_t *net_gateway6(struct netif *n, const ip6_addr_t *dst)
{
	(void)dst;
	return n == netdev_netif() && !ip6_addr_isany_val(wish.gateway6) ? &wish.gateway6 : NULL;
}

err_t netconf_start(void)
{
	err_t err;

	TRY(read_wishes());
	decide_files();
	if (wish.off)
		return OK;
	err = netdev_start();
	if (err == OK) {
		set_addresses(netdev_netif());
		return OK;
	}
	if (err != E_NODEV || run_config_get("net", 0) != NULL)
		trouble = err; /* told when there is somebody to tell */
	return OK;
}

static bool settled(void)
{
	const struct netif *n = netdev_netif();

	return n == NULL || wish.off || given_up || have_address4() || !netif_is_link_up(n);
}

void netconf_glance(void)
{
	(void)netdev_poll();
}

void netconf_await(void)
{
	uint64_t end = time_mono_ns() + NETCONF_START_WAIT_NS;

	if (trouble == E_NODEV)
		user_log("network: the machine has no network device; there is only loopback");
	else if (trouble != OK)
		user_log("network: the device does not work (%s); there is only loopback",
			 err_text(trouble));
	while (!settled())
		if (wait_on(&changed_q, end, false) == WAIT_TIMEOUT)
			break;
	started = true;
	/* The first time by this thread, which is the kernel's, too. */
	if (any_mine()) {
		writer_wanted = writer_runs = true;
		writer(NULL);
	}
}
