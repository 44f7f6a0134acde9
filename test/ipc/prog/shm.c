/* SPDX-License-Identifier: BSD-2-Clause */
/* System V shared memory. */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "test/linux/prog/check.h"

#define PAGE 4096ul

static struct shmid_ds stat_of(int id)
{
	struct shmid_ds d;

	memset(&d, 0xee, sizeof(d));
	MUST(shmctl(id, IPC_STAT, &d));
	return d;
}

static void say_stat(const char *what, int id)
{
	struct shmid_ds d = stat_of(id);
	time_t now = time(NULL);

	say("%s: size %zu mode %o uid %u gid %u cuid %u cgid %u nattch %lu key %#x", what,
	    d.shm_segsz, d.shm_perm.mode, d.shm_perm.uid, d.shm_perm.gid, d.shm_perm.cuid,
	    d.shm_perm.cgid, (unsigned long)d.shm_nattch, d.shm_perm.__key);
	say("%s: cpid %s lpid %s atime %s dtime %s ctime %s", what,
	    d.shm_cpid == getpid() ? "me"
	    : d.shm_cpid == 0      ? "0"
				   : "other",
	    d.shm_lpid == getpid() ? "me"
	    : d.shm_lpid == 0      ? "0"
				   : "other",
	    d.shm_atime == 0        ? "0"
	    : now - d.shm_atime < 5 ? "now"
				    : "wrong",
	    d.shm_dtime == 0        ? "0"
	    : now - d.shm_dtime < 5 ? "now"
				    : "wrong",
	    now - d.shm_ctime < 5 ? "now" : "wrong");
}

static int fresh(size_t size)
{
	return (int)MUST(shmget(IPC_PRIVATE, size, IPC_CREAT | 0600));
}

static key_t a_key(void)
{
	return 0x52460000 + getpid() % 0xffff;
}

static void get(void)
{
	key_t key = a_key();
	int id, id2;

	RES("no such key", shmget(key, 10, 0));
	RES("size 0", shmget(key, 0, IPC_CREAT | 0600));
	RES("too large", shmget(key, SIZE_MAX, IPC_CREAT | 0600));
	RES("wraps", shmget(key, SIZE_MAX - (1 << 24), IPC_CREAT | 0600));
	id = (int)MUST(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0640));
	RES("exclusive", shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0640));
	id2 = (int)MUST(shmget(key, 5000, IPC_CREAT | 0640));
	YES("the same id", id == id2);
	YES("smaller", shmget(key, 1, 0) == id);
	YES("zero size", shmget(key, 0, 0) == id);
	RES("larger", shmget(key, 5001, 0));
	say("key %s", stat_of(id).shm_perm.__key == key ? "is there" : "is wrong");
	RES("remove", shmctl(id, IPC_RMID, NULL));
	RES("remove again", shmctl(id, IPC_RMID, NULL));
	RES("gone", shmget(key, 0, 0));
	id2 = (int)MUST(shmget(key, 1, IPC_CREAT | 0600));
	YES("another id", id2 != id);
	RES("old id", shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }));
	RES("old id, attach", shmat(id, NULL, 0));
	MUST(shmctl(id2, IPC_RMID, NULL));
	RES("negative id", shmat(-1, NULL, 0));
	RES("huge id", shmat(INT_MAX, NULL, 0));
	RES("huge pages", shmget(IPC_PRIVATE, 3, IPC_CREAT | SHM_HUGETLB | 0600) == -1 &&
					  (errno == ENOMEM || errno == EPERM)
				  ? 0
				  : -1);
}

static void attach(void)
{
	int id = fresh(3 * PAGE + 1), own = getpid();
	char *p, *q, *at;
	(void)own;

	say_stat("fresh", id);
	p = shmat(id, NULL, 0);
	YES("attached", p != MAP_FAILED);
	say_stat("attached", id);
	q = shmat(id, NULL, SHM_RDONLY);
	YES("twice", q != MAP_FAILED && q != p);
	strcpy(p + PAGE, "text");
	STR("seen", q + PAGE);
	YES("zeroes", p[0] == 0 && p[3 * PAGE] == 0 && p[4 * PAGE - 1] == 0);
	VAL("nattch", stat_of(id).shm_nattch);
	RES("make the read-only one writable", mprotect(q, PAGE, PROT_READ | PROT_WRITE));
	RES("detach inside", shmdt(p + PAGE));
	RES("detach unaligned", shmdt(p + 1));
	RES("detach", shmdt(p));
	RES("detach again", shmdt(p));
	say_stat("one left", id);
	RES("detach other", shmdt(q));
	at = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	RES("on a mapping", shmat(id, at, 0));
	RES("unaligned", shmat(id, at + 1, SHM_REMAP));
	YES("remap", shmat(id, at, SHM_REMAP) == at);
	STR("kept", at + PAGE);
	YES("rounded", shmat(id, at + 8 * PAGE + 77, SHM_REMAP | SHM_RND) == at + 8 * PAGE);
	RES("remap at 0", shmat(id, NULL, SHM_REMAP));
	RES("remap rounded to 0", shmat(id, (void *)77, SHM_REMAP | SHM_RND));
	munmap(at, 16 * PAGE);
	VAL("nattch after munmap", stat_of(id).shm_nattch);
	YES("free place", shmat(id, at, 0) == at);
	RES("outside", shmat(id, (void *)0x7ffffffff000, 0));
	RES("kernel", shmat(id, (void *)0xffff800000000000, SHM_REMAP));
	MUST(shmdt(at));
	MUST(shmctl(id, IPC_RMID, NULL));
}

static void parts(void)
{
	int id = fresh(8 * PAGE);
	char *p = shmat(id, NULL, 0);

	memset(p, 'a', 8 * PAGE);
	MUST(mprotect(p + 2 * PAGE, PAGE, PROT_READ));
	VAL("split by mprotect", stat_of(id).shm_nattch);
	MUST(munmap(p + 4 * PAGE, PAGE));
	VAL("a hole", stat_of(id).shm_nattch);
	MUST(mremap(p + 6 * PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	VAL("after mremap", stat_of(id).shm_nattch);
	RES("detach what is left", shmdt(p));
	VAL("nattch", stat_of(id).shm_nattch);
	RES("nothing there", msync(p, PAGE, MS_SYNC));
	MUST(shmctl(id, IPC_RMID, NULL));
}

static void processes(void)
{
	int id = fresh(PAGE), st;
	int *p = shmat(id, NULL, 0);

	st = CHILD({
		say("in the child: %lu", (unsigned long)stat_of(id).shm_nattch);
		p[0] = 77;
		MUST(shmdt(p));
		say("after detach: %lu", (unsigned long)stat_of(id).shm_nattch);
		p = shmat(id, NULL, 0);
		p[1] = 78;
	});
	say_status("child", st);
	say("written: %d %d", p[0], p[1]);
	say_stat("after its end", id);
	st = CHILD({ execl("/bin/true", "true", NULL); });
	say_status("exec", st);
	say_stat("after exec", id);
	MUST(shmctl(id, IPC_RMID, NULL));
	say_stat("removed while attached", id);
	p[2] = 79;
	st = CHILD({
		int *q = shmat(id, NULL, 0);

		say("attach a removed one: %s, %d", q != MAP_FAILED ? "ok" : "no",
		    q != MAP_FAILED ? q[2] : 0);
	});
	say_status("child", st);
	RES("last detach", shmdt(p));
	RES("then it is gone", shmctl(id, IPC_STAT, &(struct shmid_ds){ 0 }));
	RES("also to attach", shmat(id, NULL, 0));
}

static void rights(void)
{
	int id = fresh(PAGE);
	struct shmid_ds d = stat_of(id);
	char *p;

	RES("execute", ({
		    p = shmat(id, NULL, SHM_EXEC);
		    p == MAP_FAILED ? -1 : 0;
	    }));
	d.shm_perm.mode = 0644;
	d.shm_perm.uid = 1234;
	RES("set", shmctl(id, IPC_SET, &d));
	say("now %o %u %u", stat_of(id).shm_perm.mode, stat_of(id).shm_perm.uid,
	    stat_of(id).shm_perm.cuid);
	say_status("as another", CHILD({
			   MUST(setgid(4321));
			   MUST(setuid(4321));
			   RES("look", shmctl(id, IPC_STAT, &d));
			   RES("read", shmat(id, NULL, SHM_RDONLY));
			   RES("write", shmat(id, NULL, 0));
			   RES("remove", shmctl(id, IPC_RMID, NULL));
			   RES("change", shmctl(id, IPC_SET, &d));
			   RES("lock", shmctl(id, SHM_LOCK, NULL));
			   RES("bad address", shmctl(id, IPC_SET, (void *)8));
		   }));
	say_status("as the new owner", CHILD({
			   MUST(setgid(4321));
			   MUST(setuid(1234));
			   RES("write", shmat(id, NULL, 0));
			   RES("execute", shmat(id, NULL, SHM_EXEC));
			   d.shm_perm.mode = 0;
			   RES("change", shmctl(id, IPC_SET, &d));
			   RES("look", shmctl(id, IPC_STAT, &d));
			   RES("write", shmat(id, NULL, 0));
			   RES("remove", shmctl(id, IPC_RMID, NULL));
		   }));
	RES("bad address", shmctl(fresh(1), IPC_STAT, (void *)8));
	RES("bad command", shmctl(fresh(1), 99, NULL));
	RES("negative command", shmctl(fresh(1), -1, NULL));
}

static void locked(void)
{
	int id = fresh(PAGE);

	RES("lock", shmctl(id, SHM_LOCK, NULL));
	say("mode %o", stat_of(id).shm_perm.mode);
	RES("unlock", shmctl(id, SHM_UNLOCK, NULL));
	say("mode %o", stat_of(id).shm_perm.mode);
	MUST(shmctl(id, IPC_RMID, NULL));
}

static void info(void)
{
	int id = fresh(5 * PAGE), max, i;
	struct shminfo limits;
	struct shm_info used, later;
	struct shmid_ds d;
	char *p = shmat(id, NULL, 0);

	max = (int)MUST(shmctl(0, IPC_INFO, (void *)&limits));
	say("shmmax %lu min %lu mni %lu seg %lu all %lu", limits.shmmax, limits.shmmin,
	    limits.shmmni, limits.shmseg, limits.shmall);
	MUST(shmctl(0, SHM_INFO, (void *)&used));
	p[0] = p[PAGE] = 1;
	MUST(shmctl(0, SHM_INFO, (void *)&later));
	YES("pages in memory", later.shm_rss - used.shm_rss >= 2);
	YES("used", used.used_ids >= 1 && used.shm_tot >= 5);
	for (i = 0; i <= max; i++)
		if (shmctl(i, SHM_STAT, &d) == id)
			say("found by slot: size %zu", d.shm_segsz);
	RES("slot that is not there", shmctl(max + 1, SHM_STAT, &d));
	for (i = 0; i <= max; i++)
		if (shmctl(i, 15, &d) == id)
			say("SHM_STAT_ANY: size %zu", d.shm_segsz);
	MUST(shmdt(p));
	MUST(shmctl(id, IPC_RMID, NULL));
}

static void listed(void)
{
	key_t key = a_key();
	int id = (int)MUST(shmget(key, 6000, IPC_CREAT | 0604)), n;
	FILE *f;
	char line[512], name[64];
	char *p = shmat(id, NULL, 0);

	p[1] = 1;
	f = fopen("/proc/sysvipc/shm", "r");
	STR("heading", fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f) != NULL) {
		int k, i, rest = 0;
		unsigned mode, size, cpid, lpid, nattch;

		if (sscanf(line, "%d %d %o %u %u %u %u%n", &k, &i, &mode, &size, &cpid, &lpid,
			   &nattch, &rest) == 7 &&
		    i == id) {
			say("%s mode %o size %u nattch %u, %zu characters",
			    k == key ? "key" : "wrong key", mode, size, nattch, strlen(line));
			YES("creator", (int)cpid == getpid() && (int)lpid == getpid());
		}
	}
	fclose(f);
	f = fopen("/proc/self/maps", "r");
	snprintf(name, sizeof(name), "/SYSV%08x (deleted)", (unsigned)key);
	for (n = 0; fgets(line, sizeof(line), f) != NULL;)
		if (strstr(line, name) != NULL && strstr(line, "rw-s 00000000 00:01") != NULL)
			n++;
	VAL("in maps", n);
	fclose(f);
	MUST(shmctl(id, IPC_RMID, NULL));
}

/* Segments that many processes attach and leave in any order: nothing is lost, nothing stays. */
static void many(void)
{
	int id[20], pid[10], st;
	long sum = 0;

	for (size_t i = 0; i < COUNT(id); i++)
		id[i] = fresh(PAGE * (i + 1));
	for (size_t n = 0; n < COUNT(pid); n++) {
		pid[n] = START({
			for (size_t i = 0; i < COUNT(id); i++) {
				_Atomic int *p = shmat(id[(i * 7 + n) % COUNT(id)], NULL, 0);

				p[0]++;
				if ((i + n) % 3 == 0)
					shmdt((void *)p);
			}
		});
	}
	for (size_t n = 0; n < COUNT(pid); n++) {
		st = wait_for(pid[n]);
		if (st != 0)
			say_status("worker", st);
	}
	for (size_t i = 0; i < COUNT(id); i++) {
		int *p = shmat(id[i], NULL, 0);

		sum += p[0];
		if (stat_of(id[i]).shm_nattch != 1)
			say("still attached: %lu", (unsigned long)stat_of(id[i]).shm_nattch);
		MUST(shmctl(id[i], IPC_RMID, NULL));
	}
	VAL("sum", sum);
}

static const struct section sections[] = {
	{ "get", get },       { "attach", attach }, { "parts", parts }, { "processes", processes },
	{ "rights", rights }, { "locked", locked }, { "info", info },   { "listed", listed },
	{ "many", many },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
