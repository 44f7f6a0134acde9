/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of AF_UNIX sockets: files of kind S_IFSOCK, abstract names, names made up by us. */
#include "base/fmt.h"
#include "base/str.h"
#include "kernel/mem/kmem.h"
#include "kernel/net/unix.h"
#include "kernel/task/task.h"

#define AUTOBIND_NAMES 0x100000u

static struct list abstract_names = LIST_INIT(abstract_names);

err_t unix_check_addr(const struct sock_addr *a)
{
	if (a->len <= UNIX_ADDR_MIN || a->len > UNIX_ADDR_MAX || a->family != AF_UNIX)
		return E_INVAL;
	return OK;
}

static inline bool is_path(const struct sock_addr *a)
{
	return a->bytes[UNIX_ADDR_MIN] != '\0';
}

/* The path, ended by a NUL, which the program may have left out. */
static void path_of(const struct sock_addr *a, char path[UNIX_ADDR_MAX])
{
	size_t n = strnlen(a->bytes + UNIX_ADDR_MIN, a->len - UNIX_ADDR_MIN);

	memcpy(path, a->bytes + UNIX_ADDR_MIN, n);
	path[n] = '\0';
}

static struct unix_addr *addr_new(const char *bytes, uint32_t len)
{
	struct unix_addr *addr = kmem_zalloc(sizeof(*addr));

	if (addr == NULL)
		return NULL;
	addr->refs = 1;
	addr->a.len = len;
	memcpy(addr->a.bytes, bytes, len);
	return addr;
}

/* ---- abstract names: each type of socket has its own ---- */

static struct unix_sock *find_abstract(const struct sock_addr *a, int type)
{
	LIST_FOR_EACH(pos, &abstract_names) {
		struct unix_sock *u = list_entry(pos, struct unix_sock, in_abstract);

		if (u->sock.type == type && u->addr->a.len == a->len &&
		    memcmp(u->addr->a.bytes, a->bytes, a->len) == 0)
			return u;
	}
	return NULL;
}

static err_t bind_abstract(struct unix_sock *u, const struct sock_addr *a)
{
	if (u->addr != NULL)
		return E_INVAL;
	if (find_abstract(a, u->sock.type) != NULL)
		return E_ADDRINUSE;
	u->addr = addr_new(a->bytes, a->len);
	if (u->addr == NULL)
		return E_NOMEM;
	list_push_back(&abstract_names, &u->in_abstract);
	return OK;
}

err_t unix_autobind(struct unix_sock *u)
{
	struct sock_addr a = { .len = UNIX_ADDR_MIN + 1 + 5, .family = AF_UNIX };
	uint32_t start;

	if (u->addr != NULL)
		return OK;
	random_bytes(&start, sizeof(start));
	for (uint32_t i = 0; i < AUTOBIND_NAMES; i++) {
		fmt_snprintf(a.bytes + UNIX_ADDR_MIN + 1, 6, "%05x",
			     (start + i) & (AUTOBIND_NAMES - 1));
		if (find_abstract(&a, u->sock.type) == NULL)
			return bind_abstract(u, &a);
	}
	return E_NOSPC;
}

/* ---- names in the file system ---- */

/* The file is there and new: u gets it. */
static err_t adopt_file(struct unix_sock *u, const char *path)
{
	char bytes[UNIX_ADDR_MAX + 1];
	size_t len = strlen(path) + 1;
	uint16_t family = AF_UNIX;
	struct unix_addr *addr;
	struct path p;
	err_t err;

	if (u->addr != NULL)
		return E_INVAL;
	memcpy(bytes, &family, sizeof(family));
	memcpy(bytes + UNIX_ADDR_MIN, path, len);
	addr = addr_new(bytes, (uint32_t)(UNIX_ADDR_MIN + len));
	if (addr == NULL)
		return E_NOMEM;
	err = path_lookup(AT_FDCWD_, path, 0, &p);
	if (err != OK) {
		kmem_free(addr);
		return err;
	}
	p.dentry->inode->bound = u;
	u->path = p;
	u->addr = addr;
	return OK;
}

static err_t bind_path(struct unix_sock *u, const struct sock_addr *a)
{
	uint32_t mode = u->sock.file != NULL ? u->sock.file->anon_mode : 0777;
	char path[UNIX_ADDR_MAX];
	err_t err;

	path_of(a, path);
	err = vfs_mknod(AT_FDCWD_, path, S_IFSOCK | (mode & 07777), 0);
	if (err != OK)
		return err == E_EXIST ? E_ADDRINUSE : err;
	err = adopt_file(u, path);
	if (err != OK)
		(void)!vfs_unlink(AT_FDCWD_, path, false);
	return err;
}

err_t unix_bind(struct socket *s, const struct sock_addr *a)
{
	struct unix_sock *u = unix_of(s);

	if (a->len == UNIX_ADDR_MIN && a->family == AF_UNIX)
		return unix_autobind(u);
	TRY(unix_check_addr(a));
	return is_path(a) ? bind_path(u, a) : bind_abstract(u, a);
}

static err_t find_path(const struct sock_addr *a, int type, struct unix_sock **out)
{
	char name[UNIX_ADDR_MAX];
	struct inode *i;
	struct path p;
	err_t err;

	path_of(a, name);
	TRY(path_lookup(AT_FDCWD_, name, LOOK_FOLLOW, &p));
	i = p.dentry->inode;
	err = path_permission(&p, 2);
	if (err == OK && (!S_ISSOCK(i->mode) || i->bound == NULL))
		err = E_CONNREFUSED;
	if (err == OK && ((struct unix_sock *)i->bound)->sock.type != type)
		err = E_PROTOTYPE;
	if (err == OK)
		*out = unix_get(i->bound);
	path_put(&p);
	return err;
}

err_t unix_find(const struct sock_addr *a, int type, struct unix_sock **out)
{
	struct unix_sock *u;

	if (is_path(a))
		return find_path(a, type, out);
	u = find_abstract(a, type);
	if (u == NULL)
		return E_CONNREFUSED;
	*out = unix_get(u);
	return OK;
}

err_t unix_name(struct socket *s, bool peer, struct sock_addr *out)
{
	struct unix_sock *u = unix_of(s);

	if (peer) {
		u = u->peer;
		if (u == NULL)
			return E_NOTCONN;
	}
	if (u->addr != NULL)
		*out = u->addr->a;
	else
		*out = (struct sock_addr){ .len = UNIX_ADDR_MIN, .family = AF_UNIX };
	return OK;
}

/* Nobody finds u any more. Those who have to do with it can still ask for its address. */
void unix_forget_name(struct unix_sock *u)
{
	list_remove(&u->in_abstract);
	if (u->path.dentry == NULL)
		return;
	if (u->path.dentry->inode->bound == u)
		u->path.dentry->inode->bound = NULL;
	path_put(&u->path);
	u->path = (struct path){ NULL, NULL };
}
