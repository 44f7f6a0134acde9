/* SPDX-License-Identifier: BSD-2-Clause */
/* What -p, --net and --ip say; the nearest word; messages on the control port with data. */
#include "base/test/test.h"

#include "tool/control.h"
#include "tool/near.h"
#include "tool/net.h"

static void good(const char *text, const char *address, bool ipv6, unsigned host, unsigned guest,
		 bool udp)
{
	char why[NET_WHY_MAX] = "";
	struct port_map p;

	if (!net_parse_port(text, &p, why))
		fail_msg("%s: %s", text, why);
	assert_string_equal(p.address, address);
	assert_int_equal(p.ipv6, ipv6);
	assert_int_equal(p.host, host);
	assert_int_equal(p.guest, guest);
	assert_int_equal(p.udp, udp);
}

static void bad(const char *text, const char *complaint)
{
	char why[NET_WHY_MAX] = "";
	struct port_map p;

	assert_false(net_parse_port(text, &p, why));
	if (strstr(why, complaint) == NULL)
		fail_msg("%s: %s", text, why);
}

static void ports(void **state)
{
	struct port_map p;
	char why[NET_WHY_MAX], *text;

	(void)state;
	good("8080:80", "", false, 8080, 80, false);
	good("1:65535/tcp", "", false, 1, 65535, false);
	good("127.0.0.1:5353:53/udp", "127.0.0.1", false, 5353, 53, true);
	good("[::1]:8080:80", "::1", true, 8080, 80, false);
	good("[fe80::1:2]:1:2/udp", "fe80::1:2", true, 1, 2, true);
	bad("", "no port of the machine");
	bad("80", "no port of the machine");
	bad(":80", "host's port");
	bad("80:", "machine's port");
	bad("0:80", "host's port");
	bad("80:0", "machine's port");
	bad("65536:80", "host's port");
	bad("80:99999999999", "machine's port");
	bad("-1:80", "host's port");
	bad("+1:80", "host's port");
	bad("80:80x", "machine's port");
	bad("80:80/sctp", "neither /tcp nor /udp");
	bad("80/udp:80", "neither /tcp nor /udp");
	bad("1.2.3:80:80", "no IPv4 address");
	bad("localhost:80:80", "no IPv4 address");
	bad("::1:80:80", "no IPv4 address");
	bad("[::1:80:80", "[ADDR]:HOST:GUEST");
	bad("[::1]80:80", "[ADDR]:HOST:GUEST");
	bad("[1.2.3.4]:80:80", "no IPv6 address");
	bad("[::1]:80", "no port of the machine");
	assert_true(net_parse_port("[::1]:8080:80", &p, why));
	text = net_port_text(&p);
	assert_string_equal(text, "[::1]:8080:80/tcp");
	free(text);
}

static void kinds_and_addresses(void **state)
{
	struct net_spec net = { 0 };
	char why[NET_WHY_MAX];

	(void)state;
	assert_true(net_parse_kind("user", &net, why) && net.kind == NET_USER);
	assert_true(net_parse_kind("none", &net, why) && net.kind == NET_NONE);
	assert_true(net_parse_kind("tap=tap0", &net, why) && net.kind == NET_TAP);
	assert_string_equal(net.tap, "tap0");
	assert_false(net_parse_kind("tap", &net, why) || net_parse_kind("tap=", &net, why) ||
		     net_parse_kind("tap=a,script=x", &net, why) ||
		     net_parse_kind("tap=0123456789abcdef", &net, why) ||
		     net_parse_kind("", &net, why));
	assert_true(net_parse_address("10.0.0.2/24,10.0.0.1", &net, why));
	assert_string_equal(net.address, "10.0.0.2/24");
	assert_string_equal(net.gateway, "10.0.0.1");
	assert_true(net_parse_address("10.0.0.3/8", &net, why));
	assert_string_equal(net.gateway, "");
	assert_true(net_parse_address("dhcp", &net, why) && net.address[0] == '\0');
	assert_false(net_parse_address("10.0.0.2", &net, why) ||
		     net_parse_address("10.0.0.2/0", &net, why) ||
		     net_parse_address("10.0.0.2/33", &net, why) ||
		     net_parse_address("10.0.0/24", &net, why) ||
		     net_parse_address("10.0.0.2/24,", &net, why) ||
		     net_parse_address("10.0.0.2/24,x", &net, why));
}

static void near_words(void **state)
{
	struct strv list = { 0 };

	(void)state;
	strv_add(&list, "web");
	strv_add(&list, "database");
	strv_add(&list, "web-2");
	assert_string_equal(near_word("wbe", &list), "web");
	assert_string_equal(near_word("datbase", &list), "database");
	assert_string_equal(near_word("data", &list), "database");
	assert_string_equal(near_word("web-3", &list), "web-2");
	assert_null(near_word("nginx", &list));
	assert_null(near_word("", &list));
	strv_release(&list);
}

struct heard {
	char text[512];
};

static const char *kind_name(enum control_kind kind)
{
	switch (kind) {
	case CONTROL_LISTEN: return "listen";
	case CONTROL_EXEC_STARTED: return "started";
	case CONTROL_EXEC_FAILED: return "failed";
	case CONTROL_EXEC_ROOM: return "room";
	case CONTROL_EXEC_ENDED: return "ended";
	case CONTROL_UNKNOWN: return "unknown";
	default: return "another";
	}
}

static void hear(void *ctx, const struct control_event *e)
{
	struct heard *h = ctx;
	size_t n = strlen(h->text);

	if (e->kind == CONTROL_EXEC_OUT || e->kind == CONTROL_EXEC_ERR)
		snprintf(h->text + n, sizeof(h->text) - n, "%.*s", (int)e->len, e->data);
	else
		snprintf(h->text + n, sizeof(h->text) - n, "<%s %u %u>", kind_name(e->kind), e->id,
			 e->value);
}

static void control_data(void **state)
{
	static const char text[] =
		"exec-started=7 12\nexec-out=7 6\nab\ncd\nexec-err=8 3\nxyz"
		"exec-room=7 100\nexec-out=7 0\nexec-ended=7 256\nexec-failed=9 2\n"
		"listen=80\nlisten=0\nexec-out=7\nexec-out=7 -1\n";
	static const char want[] = "<started 7 12>ab\ncd\nxyz<room 7 100><ended 7 256>"
				   "<failed 9 2><listen 0 80>"
				   "<unknown 0 0><unknown 0 0><unknown 0 0>";
	struct control_reader r = { 0 };
	struct heard whole = { 0 }, pieces = { 0 };

	(void)state;
	control_feed(&r, text, sizeof(text) - 1, hear, &whole);
	assert_string_equal(whole.text, want);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		control_feed(&r, text + i, 1, hear, &pieces);
	assert_string_equal(pieces.text, want);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),
		cmocka_unit_test(kinds_and_addresses),
		cmocka_unit_test(near_words),
		cmocka_unit_test(control_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
