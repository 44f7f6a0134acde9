/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of files of an image, against folders made for the test; libraries; catalog files. */
#include "base/test/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool/cache.h"
#include "tool/catalog.h"
#include "tool/libs.h"
#include "tool/rootfs.h"

static char dir[] = "/tmp/u_tool_files-XXXXXX";

/* A path below the test's folder; static storage, for four at a time. */
static const char *at(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *p = paths[next++ % 4];

	snprintf(p, sizeof(paths[0]), "%s/%s", dir, name);
	return p;
}

static void make_file(const char *name, const char *content, mode_t mode)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write_all(fd, content, strlen(content)), 0);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	remove_tree(dir);
	return 0;
}

static void fresh(struct rootfs *fs)
{
	remove_tree(dir);
	assert_int_equal(mkdir(dir, 0755), 0);
	rootfs_init(fs);
}

static const struct rootfs_entry *entry(const struct rootfs *fs, const char *name)
{
	return rootfs_find(fs, at(name));
}

static void links_on_the_way_come_along(void **state)
{
	struct rootfs fs;
	const char *canonical;

	(void)state;
	fresh(&fs);
	mkdir(at("real"), 0755);
	make_file("real/prog-1", "x", 0755);
	assert_int_equal(symlink("prog-1", at("real/prog")), 0);
	assert_int_equal(symlink("real", at("alias")), 0);
	assert_int_equal(rootfs_add_path(&fs, at("alias/prog"), &canonical), 0);
	assert_string_equal(canonical, at("real/prog-1"));
	assert_int_equal(entry(&fs, "alias")->type, ROOTFS_LINK);
	assert_string_equal(entry(&fs, "alias")->target, "real");
	assert_int_equal(entry(&fs, "real")->type, ROOTFS_DIR);
	assert_int_equal(entry(&fs, "real/prog")->type, ROOTFS_LINK);
	assert_int_equal(entry(&fs, "real/prog-1")->type, ROOTFS_FILE);
	assert_int_equal(entry(&fs, "real/prog-1")->mode, 0755);
	assert_null(entry(&fs, "alias/prog"));
	rootfs_release(&fs);
}

static void dots_follow_links(void **state)
{
	struct rootfs fs;
	const char *canonical;

	(void)state;
	fresh(&fs);
	mkdir(at("a"), 0755);
	mkdir(at("a/b"), 0755);
	make_file("a/f", "x", 0644);
	assert_int_equal(symlink("a/b", at("l")), 0);
	assert_int_equal(rootfs_add_path(&fs, at("./l/../f"), &canonical), 0);
	assert_string_equal(canonical, at("a/f"));
	rootfs_release(&fs);
}

static void refusals(void **state)
{
	struct rootfs fs;

	(void)state;
	fresh(&fs);
	make_file("f", "x", 0644);
	assert_int_equal(symlink("loop", at("loop")), 0);
	assert_int_equal(mkfifo(at("pipe"), 0600), 0);
	assert_int_equal(rootfs_add_path(&fs, at("none"), NULL), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(rootfs_add_path(&fs, at("f/x"), NULL), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(rootfs_add_path(&fs, at("loop"), NULL), -1);
	assert_int_equal(errno, ELOOP);
	assert_int_equal(rootfs_add_path(&fs, at("pipe"), NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(rootfs_add_folder(&fs, at("f"), 0755), -1);
	assert_int_equal(errno, ENOTDIR);
	rootfs_release(&fs);
}

static void folders_with_exceptions_and_bounds(void **state)
{
	struct strv exclude = { 0 };
	struct rootfs_add what = { .host = at("t"), .recursive = true, .exclude = &exclude };
	struct rootfs fs;
	char host[256];

	(void)state;
	fresh(&fs);
	snprintf(host, sizeof(host), "%s", at("t"));
	what.host = host;
	mkdir(at("t"), 0755);
	mkdir(at("t/sub"), 0700);
	mkdir(at("t/test"), 0755);
	make_file("t/sub/a.py", "aaaa", 0644);
	make_file("t/sub/a.pod", "x", 0644);
	make_file("t/test/b.py", "x", 0644);
	make_file("outside", "x", 0644);
	assert_int_equal(symlink("../outside", at("t/link")), 0);
	assert_int_equal(symlink("/", at("t/everything")), 0);
	strv_add(&exclude, "test");
	strv_add(&exclude, "*.pod");
	assert_int_equal(rootfs_add(&fs, &what, NULL), 0);
	assert_non_null(entry(&fs, "t/sub/a.py"));
	assert_null(entry(&fs, "t/sub/a.pod"));
	assert_null(entry(&fs, "t/test"));
	assert_non_null(entry(&fs, "outside")); /* by the link */
	assert_non_null(entry(&fs, "t/everything"));
	assert_null(rootfs_find(&fs, "/usr")); /* a link to a folder is not followed */
	rootfs_release(&fs);

	rootfs_init(&fs);
	what.max_bytes = 3;
	assert_int_equal(rootfs_add(&fs, &what, NULL), -1);
	assert_int_equal(errno, E2BIG);
	rootfs_release(&fs);
	strv_release(&exclude);
}

static void another_place_in_the_guest(void **state)
{
	struct rootfs fs;
	char host[256], guest[256];
	struct rootfs_add what = { .host = host, .guest = guest, .recursive = true };

	(void)state;
	fresh(&fs);
	snprintf(host, sizeof(host), "%s", at("site"));
	snprintf(guest, sizeof(guest), "%s", "/srv-of-a-test/www");
	mkdir(at("site"), 0755);
	make_file("site/index.html", "x", 0644);
	assert_int_equal(rootfs_add(&fs, &what, NULL), 0);
	const struct rootfs_entry *e = rootfs_find(&fs, "/srv-of-a-test/www/index.html");

	assert_non_null(e);
	assert_string_equal(e->host, at("site/index.html"));
	assert_null(rootfs_find(&fs, "/srv-of-a-test")->host);
	rootfs_release(&fs);
}

static void sorted_and_settled(void **state)
{
	struct rootfs fs;

	(void)state;
	fresh(&fs);
	make_file("b", "x", 0644);
	make_file("a", "x", 0644);
	assert_int_equal(rootfs_add_path(&fs, at("b"), NULL), 0);
	assert_int_equal(rootfs_add_path(&fs, at("a"), NULL), 0);
	assert_int_equal(rootfs_add_folder(&fs, "/of-a-test/deep", 01777), 0);
	struct rootfs_entry **list = rootfs_sorted(&fs);

	for (size_t i = 1; i < fs.n; i++)
		assert_true(strcmp(list[i - 1]->guest, list[i]->guest) < 0);
	free(list);
	int64_t newest = rootfs_settle_times(&fs);

	assert_int_equal(rootfs_find(&fs, "/of-a-test")->mtime.tv_sec, newest);
	assert_int_equal(rootfs_find(&fs, "/of-a-test/deep")->mode, 01777);
	rootfs_release(&fs);
}

/* A file that the loader takes for a library: ELF, 64 bit, x86-64. */
static void make_library(const char *name, char machine)
{
	char head[64] = "\177ELF\2\1\1";
	int fd = open(at(name), O_WRONLY | O_CREAT, 0644);

	head[16] = 3;
	head[18] = machine;
	assert_int_equal(write_all(fd, head, sizeof(head)), 0);
	close(fd);
}

static void find_is(const struct libs *libs, const struct elf_info *user, const char *expected)
{
	char *found = libs_find(libs, "libof-a-test.so", at("bin/prog"), user, NULL);

	if (expected == NULL)
		assert_null(found);
	else
		assert_string_equal(found, at(expected));
	free(found);
}

static void libraries_in_the_loader_s_order(void **state)
{
	char origin[] = "$ORIGIN/../lib", braces[] = "/none:${ORIGIN}/../lib2";
	struct elf_info user = { 0 };
	struct rootfs fs;
	struct libs libs;

	(void)state;
	fresh(&fs);
	rootfs_release(&fs);
	libs_init(&libs);
	mkdir(at("bin"), 0755);
	mkdir(at("lib"), 0755);
	mkdir(at("lib2"), 0755);
	make_file("bin/prog", "x", 0755);
	find_is(&libs, &user, NULL);
	make_library("lib/libof-a-test.so", 3); /* 32-bit x86: passed over */
	make_library("lib2/libof-a-test.so", 62);
	user.rpath = origin;
	find_is(&libs, &user, NULL);
	user.runpath = braces;
	find_is(&libs, &user, "bin/../lib2/libof-a-test.so");
	user.runpath = NULL;
	libs_set_library_path(&libs, at("lib2"));
	find_is(&libs, &user, "lib2/libof-a-test.so");
	libs_release(&libs);
}

static void catalog_says(const char *text, const char *complaint)
{
	char why[512] = "", *expected = NULL;

	make_file("c.yaml", text, 0644);
	struct catalog_entry *e = catalog_read_file(at("c.yaml"), why, sizeof(why));

	if (complaint == NULL) {
		assert_non_null(e);
		catalog_entry_free(e);
		return;
	}
	assert_null(e);
	expected = xasprintf("%s%s", at("c.yaml"), complaint);
	assert_string_equal(why, expected);
	free(expected);
}

static void catalog_files(void **state)
{
	struct rootfs fs;

	(void)state;
	fresh(&fs);
	rootfs_release(&fs);
	catalog_says("name: a\nmatch: [a]\n", NULL);
	catalog_says(
		"name: a\nmatch: [a]\nincluded: [b]\n",
		":3:1: unknown key \"included\" (known: name, match, include, exclude, secrets, "
		"programs, env, memory, argument-programs, folders, "
		"args, args-before, needs, service, network, ports, scheme, user, hints)");
	catalog_says("name: a\nmatch: a\n", ":2:8: key \"match\": must be a list (found: a)");
	catalog_says("name: a\nmatch: [a, {b: c}]\n",
		     ":2:12: key \"match\": each entry must be text");
	catalog_says("name: a\nname: b\nmatch: [a]\n", ":2:1: key \"name\" stands here twice");
	catalog_says("- a\n", ":1:1: there must be \"key: value\" lines here");
	catalog_says("name: [\n", ":2:1: did not find expected node content");
	catalog_says("name: a\nmatch: [a]\nmemory: much\n",
		     ": key \"memory\": \"much\" is no size (like 128M)");
}

static void catalog_names(void **state)
{
	static const char *const cases[][3] = {
		{ "${prefix}/lib/python${version}", "/usr/bin/python3.11", "/usr/lib/python3.11" },
		{ "${prefix}/x", "/bin/sh", "/usr/x" },
		{ "$x${version}$", "/opt/p/bin/perl", "$x$" },
		{ "plain", "/usr/bin/a", "plain" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *got = catalog_expand(cases[i][0], cases[i][1]);

		assert_string_equal(got, cases[i][2]);
		free(got);
	}
}

/* An image in the cache, last used `age` seconds ago. */
static void make_image(const char *key, size_t size, long age)
{
	char *name = xasprintf("cache/ringfence/images/%s.erofs", key);
	char *content = xmalloc(size + 1);
	struct timespec times[2] = { { .tv_sec = time(NULL) - age },
				     { .tv_sec = time(NULL) - age } };

	memset(content, 'x', size);
	content[size] = '\0';
	make_file(name, content, 0600);
	assert_int_equal(utimensat(AT_FDCWD, at(name), times, 0), 0);
	free(content);
	free(name);
}

static bool has_image(const char *key)
{
	int fd = cache_open_image(key);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void cache_keeps_what_was_used_last(void **state)
{
	struct rootfs fs;

	(void)state;
	fresh(&fs);
	rootfs_release(&fs);
	setenv("XDG_CACHE_HOME", at("cache"), 1);
	assert_string_equal(cache_dir(), at("cache/ringfence"));
	make_image("old", 100000, 3000);
	make_image("older", 100000, 4000);
	make_image("new", 100000, 2000);
	assert_true(has_image("older")); /* which uses it */
	make_file("made", "image", 0600);
	assert_true(cache_store_image(at("made"), "latest"));
	make_file("cache/ringfence/tmp-1-stale", "x", 0600);
	assert_int_equal(utimensat(AT_FDCWD, at("cache/ringfence/tmp-1-stale"),
				   (struct timespec[2]){ { .tv_sec = 1 }, { .tv_sec = 1 } }, 0),
			 0);
	cache_trim("latest", 250000);
	assert_true(has_image("latest") && has_image("older") && has_image("new"));
	assert_false(has_image("old"));
	assert_false(path_exists(at("cache/ringfence/tmp-1-stale")));
	cache_trim("latest", 1);
	assert_true(has_image("latest"));
	assert_false(has_image("new") || has_image("older"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_on_the_way_come_along),
		cmocka_unit_test(dots_follow_links),
		cmocka_unit_test(refusals),
		cmocka_unit_test(folders_with_exceptions_and_bounds),
		cmocka_unit_test(another_place_in_the_guest),
		cmocka_unit_test(sorted_and_settled),
		cmocka_unit_test(libraries_in_the_loader_s_order),
		cmocka_unit_test(catalog_files),
		cmocka_unit_test(catalog_names),
		cmocka_unit_test(cache_keeps_what_was_used_last),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
