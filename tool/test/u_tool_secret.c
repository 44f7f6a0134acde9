/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys in files, looking for them elsewhere, OpenSSL's configuration. */
#include "base/test/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool/base64.h"
#include "tool/keyfile.h"
#include "tool/needle.h"
#include "tool/sslconf.h"
#include "tool/util.h"

/* ---- base64 ---- */

static void base64_there_and_back(void **state)
{
	uint8_t data[200], back[300];
	size_t size;

	(void)state;
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + 3);
	for (unsigned n = 1; n < sizeof(data); n++) {
		char *lines = base64_lines(data, n);

		assert_true(base64_decode(lines, strlen(lines), back, &size));
		assert_int_equal(size, n);
		assert_memory_equal(back, data, n);
		assert_true(strcspn(lines, "\n") <= 64);
		free(lines);
	}
	assert_true(base64_decode("aGk=", 4, back, &size) && size == 2 &&
		    memcmp(back, "hi", 2) == 0);
	assert_false(base64_decode("aG*k", 4, back, &size));
	assert_false(base64_decode("a", 1, back, &size));
}

/* ---- needles ---- */

static uint8_t number[48];

static const char *look(const struct needles *n, const char *text, size_t size)
{
	return needles_find(n, text, size);
}

/* The number at `before` bytes behind the start of something else, in base64 lines of `width`. */
static char *in_base64(unsigned before, unsigned width)
{
	uint8_t data[200];
	char *lines, *out = xcalloc(1, 1000);
	size_t used = 0;

	memset(data, 0x5a, sizeof(data));
	memcpy(data + before, number, sizeof(number));
	lines = base64_lines(data, sizeof(data));
	for (const char *p = lines; *p != '\0'; p++) {
		if (*p == '\n')
			continue;
		out[used++] = *p;
		if (used % (width + 1) == width)
			out[used++] = '\n';
	}
	free(lines);
	return out;
}

static void needles_in_every_form(void **state)
{
	struct needles n;
	uint8_t turned[48];
	char hex[3 * 48 + 1];

	(void)state;
	for (unsigned i = 0; i < sizeof(number); i++) {
		number[i] = (uint8_t)(i * 37 + 200);
		turned[sizeof(number) - 1 - i] = number[i];
	}
	needles_init(&n);
	needles_add(&n, "it", number, sizeof(number));
	assert_non_null(look(&n, (char *)number, sizeof(number)));
	assert_non_null(look(&n, (char *)turned, sizeof(turned)));
	for (unsigned before = 0; before < 7; before++)
		for (unsigned width = 20; width < 90; width++) {
			char *text = in_base64(before, width);

			assert_string_equal(look(&n, text, strlen(text)), "it");
			free(text);
		}
	for (unsigned i = 0; i < sizeof(number); i++)
		snprintf(hex + 3 * i, 4, i % 15 == 14 ? "%02x\n" : "%02x:", number[i]);
	assert_non_null(look(&n, hex, strlen(hex)));
	number[24] ^= 1;
	assert_null(look(&n, (char *)number, sizeof(number)));
	assert_null(look(&n, "", 0));
	assert_null(look(&n, "short", 5));
	needles_release(&n);
}

/* Text is looked through in blocks: wherever it stands, it is found. */
static void needles_across_blocks(void **state)
{
	enum { SIZE = 140000 };
	char *data = xmalloc(SIZE), *text;
	struct needles n;

	(void)state;
	needles_init(&n);
	needles_add(&n, "it", number, sizeof(number));
	text = in_base64(1, 64);
	for (size_t at = 65536 - 300; at < 65536 + 10; at++) {
		memset(data, '.', SIZE);
		memcpy(data + at, text, strlen(text));
		assert_non_null(look(&n, data, SIZE));
	}
	free(text);
	free(data);
	needles_release(&n);
}

/* ---- OpenSSL's configuration ---- */

static void conf_is(const char *text, const char *expected)
{
	char why[SSLCONF_WHY_MAX] = "";
	struct strv included = { 0 };
	char *got = sslconf_add_provider("x.cnf", text, "ours", "/ours.so", &included, why);
	const char *mark = "# Added by ringfence: private keys in ring 2.\n";

	assert_non_null(got);
	assert_non_null(strstr(got, text));
	assert_string_equal(strstr(got, mark) + strlen(mark), expected);
	free(got);
	strv_release(&included);
}

static void conf_refused(const char *text, const char *reason)
{
	char why[SSLCONF_WHY_MAX] = "";
	struct strv included = { 0 };

	assert_null(sslconf_add_provider("x.cnf", text, "ours", "/ours.so", &included, why));
	assert_string_equal(why, reason);
	strv_release(&included);
}

#define OURS "[ours_provider]\nmodule = /ours.so\nactivate = 1\n"

static void configurations(void **state)
{
	char why[SSLCONF_WHY_MAX];
	struct strv included = { 0 };
	char *made = sslconf_add_provider("x.cnf", "a = b\n", "ours", "/ours.so", &included, why);

	(void)state;
	assert_int_equal(strncmp(made, "openssl_conf = ringfence_init\n\na = b\n", 37), 0);
	free(made);
	conf_is("a = b\n",
		"[ringfence_init]\nproviders = ringfence_providers\n\n"
		"[ringfence_providers]\ndefault = ringfence_default\nours = ours_provider\n\n"
		"[ringfence_default]\nactivate = 1\n\n" OURS);
	/* As Debian's: the default provider is listed, and not activated by it. */
	conf_is("openssl_conf = o\n[o]\nproviders = p\n[p]\ndefault = d\n[d]\n# activate = 1\n",
		"[p]\nours = ours_provider\n\n[d]\nactivate = 1\n\n" OURS);
	conf_is("openssl_conf = o\n[o]\nssl_conf = s\n",
		"[o]\nproviders = ringfence_providers\n\n[ringfence_providers]\n"
		"default = ringfence_default\nours = ours_provider\n\n"
		"[ringfence_default]\nactivate = 1\n\n" OURS);
	/* Who activates providers of his own choice keeps it. */
	conf_is("openssl_conf=o\n[ o ]\nproviders = 'p' # these\n[p]\nfips = f\n"
		"[f]\nactivate = 1",
		"[p]\nours = ours_provider\n\n" OURS);
	conf_is("openssl_conf = x\nopenssl_conf = o\n[o]\nproviders = \\\n p\n"
		"[p]\nfips=f\nf::activate=1\n",
		"[p]\nours = ours_provider\n\n" OURS);
	conf_refused("[a\n", "x.cnf: a section's name does not end: [a");
	conf_refused("sense\n", "x.cnf: a line has no \"=\": sense");
	conf_refused("openssl_conf = $x\n", "x.cnf: names its sections by variables: $x");
	conf_refused(".include here.cnf\n", "x.cnf: includes what is no path from /: here.cnf");
}

/* ---- keys ---- */

static const char p256[] = "-----BEGIN EC PRIVATE KEY-----\n"
			   "MHcCAQEEIBDPnC2RFFpBcYNCVgBXGSjzGyuZ8YCPs7CtxkLbn5xVoAoGCCqGSM49\n"
			   "AwEHoUQDQgAEqVn4pVPzGxe3VPUk31L4tGYNjH0BkYKl1iWNaJkzEvGcBEo1y0NM\n"
			   "mlzYyPMj0kZRmxYKhJkhPu4kbRDyOCCPVQ==\n"
			   "-----END EC PRIVATE KEY-----\n";

static char path[] = "/tmp/u_tool_secret-XXXXXX";

static bool reads(const char *data, size_t size, struct keyfile *k)
{
	char why[KEYFILE_WHY_MAX];
	const char *hint;
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, data, size), size);
	close(fd);
	return keyfile_read(path, k, why, &hint);
}

static void keys_and_names(void **state)
{
	struct keyfile k, name;
	char *data;
	size_t size;

	(void)state;
	assert_true(reads(p256, sizeof(p256) - 1, &k));
	assert_string_equal(k.kind, "P-256");
	assert_int_equal(k.nparts, 1);
	assert_int_equal(k.parts[0].size, 32);
	keyfile_name(&k, "/etc/x/0", &data, &size);
	assert_int_equal(strncmp(data, "-----BEGIN PRIVATE KEY-----\n", 28), 0);
	assert_false(reads(data, size, &name)); /* a name is no key */
	free(data);
	k.pem = false;
	keyfile_name(&k, "/etc/x/0", &data, &size);
	assert_int_equal((uint8_t)data[1], size - 2);
	assert_memory_equal(data + size - 8, "/etc/x/0", 8);
	free(data);
	keyfile_release(&k);
}

/* Whatever stands in the file, it is read or refused. */
static void damaged_keys(void **state)
{
	struct keyfile good, k;
	uint8_t der[256];

	(void)state;
	assert_true(reads(p256, sizeof(p256) - 1, &good));
	for (size_t n = 0; n < good.der_size; n++)
		if (reads((char *)good.der, n, &k))
			keyfile_release(&k);
	for (size_t i = 0; i < good.der_size; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(der, good.der, good.der_size);
			der[i] ^= (uint8_t)(1u << bit);
			if (reads((char *)der, good.der_size, &k))
				keyfile_release(&k);
		}
	keyfile_release(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_there_and_back), cmocka_unit_test(needles_in_every_form),
		cmocka_unit_test(needles_across_blocks), cmocka_unit_test(configurations),
		cmocka_unit_test(keys_and_names),        cmocka_unit_test(damaged_keys),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(path);
	return failed;
}
