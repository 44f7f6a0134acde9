/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool/bundle.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool/report.h"

#define ALIGNMENT  4096u
#define KERNEL_MAX (64u << 20)
#define JSON_MAX   (4u << 20)

_Static_assert(sizeof(struct bundle_trailer) == 64, "the trailer takes 64 bytes");

static bool read_trailer(int fd, uint64_t *file_size, struct bundle_trailer *t)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(*t) ||
	    pread(fd, t, sizeof(*t), st.st_size - (off_t)sizeof(*t)) != (ssize_t)sizeof(*t))
		return false;
	*file_size = (uint64_t)st.st_size;
	return memcmp(t->magic, BUNDLE_MAGIC, sizeof(t->magic)) == 0;
}

bool bundle_is(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct bundle_trailer t;
	uint64_t size;
	bool is = fd >= 0 && read_trailer(fd, &size, &t);

	if (fd >= 0)
		close(fd);
	return is;
}

static bool inside(uint64_t at, uint64_t size, uint64_t file_size)
{
	return at <= file_size && size <= file_size - at;
}

/* Does everything that the trailer says lie in the file, at sensible sizes? */
static bool trailer_ok(const struct bundle_trailer *t, uint64_t file_size)
{
	return t->image_size != 0 && inside(0, t->image_size, file_size) && t->kernel_size != 0 &&
	       t->kernel_size <= KERNEL_MAX && inside(t->kernel_at, t->kernel_size, file_size) &&
	       t->json_size != 0 && t->json_size <= JSON_MAX &&
	       inside(t->json_at, t->json_size, file_size);
}

static bool take_text(const cJSON *root, const char *key, char **out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, key);

	if (!cJSON_IsString(item))
		return false;
	*out = xstrdup(item->valuestring);
	return true;
}

static bool take_list(const cJSON *root, const char *key, struct strv *out)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, key), *item;

	if (!cJSON_IsArray(list))
		return false;
	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item))
			return false;
		strv_add(out, item->valuestring);
	}
	return true;
}

static bool take_user(const cJSON *root, struct bundle *b)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "user");
	const cJSON *uid = cJSON_GetArrayItem(list, 0), *gid = cJSON_GetArrayItem(list, 1);

	if (list == NULL)
		return true;
	if (!cJSON_IsNumber(uid) || !cJSON_IsNumber(gid) || uid->valuedouble < 0 ||
	    gid->valuedouble < 0 || uid->valuedouble > UINT32_MAX || gid->valuedouble > UINT32_MAX)
		return false;
	b->serving.set_user = true;
	b->serving.uid = (uid_t)uid->valuedouble;
	b->serving.gid = (gid_t)gid->valuedouble;
	return true;
}

/* How it is run as a server; all of it may be missing. */
static bool take_service(const cJSON *root, struct bundle *b)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "ports"), *item;
	char why[NET_WHY_MAX];
	struct port_map p;

	b->serving.service = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "service"));
	b->serving.network = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "network"));
	(void)take_text(root, "scheme", &b->serving.scheme);
	cJSON_ArrayForEach(item, list)
	{
		if (!cJSON_IsString(item) || !net_parse_port(item->valuestring, &p, why))
			return false;
		net_add_port(&b->serving.net, &p);
	}
	return take_user(root, b);
}

/* Neither of them, or both. */
static bool take_secrets(const cJSON *root, struct bundle *b)
{
	if (cJSON_GetObjectItemCaseSensitive(root, "secrets") == NULL)
		return true;
	return take_list(root, "secrets", &b->secrets) && b->secrets.n > 0 &&
	       take_text(root, "secret-code", &b->secret_code);
}

static bool take_manifest(struct bundle *b, const char *text)
{
	cJSON *root = cJSON_Parse(text);
	const cJSON *memory = cJSON_GetObjectItemCaseSensitive(root, "memory");
	const cJSON *cpus = cJSON_GetObjectItemCaseSensitive(root, "cpus");
	bool ok = take_text(root, "program", &b->exe) && take_text(root, "cwd", &b->cwd) &&
		  take_list(root, "argv", &b->argv) && take_list(root, "env", &b->env) &&
		  b->argv.n > 0 && cJSON_IsNumber(memory) && memory->valuedouble >= 0 &&
		  memory->valuedouble < 1e13 && cJSON_IsNumber(cpus) && cpus->valuedouble >= 0 &&
		  cpus->valuedouble <= CPUS_MAX && take_service(root, b) && take_secrets(root, b);

	if (ok) {
		b->memory = (uint64_t)memory->valuedouble;
		b->cpus = (unsigned)cpus->valuedouble;
		b->strace = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "strace"));
		b->missing = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "missing-files"));
	}
	cJSON_Delete(root);
	return ok;
}

void bundle_open(const char *path, struct bundle *b)
{
	static const char again[] = "build it again with: ringfence build";
	struct bundle_trailer t = { 0 };
	uint64_t file_size = 0;

	*b = (struct bundle){ .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (b->fd < 0 || !read_trailer(b->fd, &file_size, &t))
		die(EXIT_TOOL, again, "%s cannot be read as an image: %s", path, strerror(errno));
	if (t.version != BUNDLE_VERSION && t.version != BUNDLE_SECRETS)
		die(EXIT_TOOL, again, "%s is an image of version %u; this tool reads up to %u",
		    path, t.version, BUNDLE_SECRETS);
	if (!trailer_ok(&t, file_size))
		die(EXIT_NOEXEC, again, "%s is a damaged image: its parts lie outside the file",
		    path);
	char *text = xcalloc(1, t.json_size + 1);

	if (pread(b->fd, text, t.json_size, (off_t)t.json_at) != (ssize_t)t.json_size ||
	    !take_manifest(b, text))
		die(EXIT_NOEXEC, again, "%s is a damaged image: its manifest cannot be read", path);
	b->size = t.image_size;
	b->kernel_at = t.kernel_at;
	b->kernel_size = t.kernel_size;
	free(text);
}

void bundle_release(struct bundle *b)
{
	free(b->exe);
	free(b->cwd);
	strv_release(&b->argv);
	strv_release(&b->env);
	strv_release(&b->secrets);
	free(b->secret_code);
	serving_release(&b->serving);
}

/* Copy a part of a file, or all of it, behind what `to` holds already. */
static bool copy_part(int from, off_t at, uint64_t size, int to)
{
	while (size > 0) {
		ssize_t n = sendfile(to, from, &at, size < (1u << 30) ? size : (1u << 30));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return false;
		size -= (uint64_t)n;
	}
	return true;
}

int bundle_kernel(const struct bundle *b)
{
	int fd = memfd_create("ringfence-kernel", MFD_CLOEXEC);

	if (fd < 0 || !copy_part(b->fd, (off_t)b->kernel_at, b->kernel_size, fd))
		die(EXIT_TOOL, NULL, "the kernel of the image cannot be read: %s", strerror(errno));
	return fd;
}

static cJSON *json_list(const struct strv *list)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < list->n; i++)
		cJSON_AddItemToArray(array, cJSON_CreateString(list->v[i]));
	return array;
}

static cJSON *json_ports(const struct net_spec *net)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < net->nports; i++) {
		char *text = net_port_text(&net->ports[i]);

		cJSON_AddItemToArray(array, cJSON_CreateString(text));
		free(text);
	}
	return array;
}

static char *manifest_text(const struct bundle *b)
{
	cJSON *root = cJSON_CreateObject();

	cJSON_AddStringToObject(root, "program", b->exe);
	cJSON_AddItemToObject(root, "argv", json_list(&b->argv));
	cJSON_AddItemToObject(root, "env", json_list(&b->env));
	cJSON_AddStringToObject(root, "cwd", b->cwd);
	cJSON_AddNumberToObject(root, "memory", (double)b->memory);
	cJSON_AddNumberToObject(root, "cpus", b->cpus);
	cJSON_AddBoolToObject(root, "strace", b->strace);
	cJSON_AddBoolToObject(root, "missing-files", b->missing);
	if (b->secrets.n > 0) {
		cJSON_AddItemToObject(root, "secrets", json_list(&b->secrets));
		cJSON_AddStringToObject(root, "secret-code", b->secret_code);
	}
	if (b->serving.service)
		cJSON_AddTrueToObject(root, "service");
	if (b->serving.network)
		cJSON_AddTrueToObject(root, "network");
	if (b->serving.scheme != NULL)
		cJSON_AddStringToObject(root, "scheme", b->serving.scheme);
	if (b->serving.net.nports > 0)
		cJSON_AddItemToObject(root, "ports", json_ports(&b->serving.net));
	if (b->serving.set_user) {
		const double ids[2] = { b->serving.uid, b->serving.gid };

		cJSON_AddItemToObject(root, "user", cJSON_CreateDoubleArray(ids, 2));
	}
	char *text = cJSON_Print(root);

	cJSON_Delete(root);
	if (text == NULL)
		die_oom();
	return text;
}

/* Fill up to the next multiple of ALIGNMENT; the position then, or -1. */
static off_t pad(int fd)
{
	static const char zeros[ALIGNMENT];
	off_t at = lseek(fd, 0, SEEK_END);

	if (at < 0 || write_all(fd, zeros, (size_t)(-at & (ALIGNMENT - 1))) != 0)
		return -1;
	return lseek(fd, 0, SEEK_END);
}

static bool write_parts(int fd, const struct bundle *b, int image_fd, int kernel_fd)
{
	struct bundle_trailer t = { .image_size = b->size,
				    .version = b->secrets.n > 0 ? BUNDLE_SECRETS : BUNDLE_VERSION };
	char *json = manifest_text(b);
	off_t end = lseek(kernel_fd, 0, SEEK_END), at;

	t.kernel_size = end > 0 ? (uint64_t)end : 0;
	t.json_size = strlen(json);
	memcpy(t.magic, BUNDLE_MAGIC, sizeof(t.magic));
	bool ok = copy_part(image_fd, 0, b->size, fd) && (at = pad(fd)) >= 0;

	t.kernel_at = ok ? (uint64_t)at : 0;
	ok = ok && copy_part(kernel_fd, 0, t.kernel_size, fd) && (at = pad(fd)) >= 0;
	t.json_at = ok ? (uint64_t)at : 0;
	ok = ok && write_all(fd, json, t.json_size) == 0 && write_all(fd, &t, sizeof(t)) == 0;
	cJSON_free(json);
	return ok;
}

void bundle_write(const char *path, const struct bundle *b, int image_fd, const char *kernel_path)
{
	char *temporary = xasprintf("%s.tmp-%d", path, (int)getpid());
	int kernel_fd = open(kernel_path, O_RDONLY | O_CLOEXEC);

	if (kernel_fd < 0)
		die(EXIT_TOOL, NULL, "%s: %s", kernel_path, strerror(errno));
	int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		      b->secrets.n > 0 ? 0600 : 0644);

	if (fd < 0)
		die(EXIT_TOOL, NULL, "%s cannot be written: %s", path, strerror(errno));
	cleanup_add(temporary);
	if (!write_parts(fd, b, image_fd, kernel_fd) || fsync(fd) != 0 || close(fd) != 0 ||
	    rename(temporary, path) != 0)
		die(EXIT_TOOL, NULL, "%s cannot be written: %s", path, strerror(errno));
	cleanup_drop(temporary);
	close(kernel_fd);
	free(temporary);
}
