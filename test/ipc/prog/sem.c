/* SPDX-License-Identifier: BSD-2-Clause */
/* System V semaphores. */
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "test/linux/prog/check.h"

union semun {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int fresh(int n)
{
	return (int)MUST(semget(IPC_PRIVATE, n, IPC_CREAT | 0600));
}

static int op1(int id, int num, int op, int flags)
{
	struct sembuf b = { (unsigned short)num, (short)op, (short)flags };

	return semop(id, &b, 1);
}

static int value(int id, int num)
{
	return (int)MUST(semctl(id, num, GETVAL));
}

static void set(int id, int num, int v)
{
	MUST(semctl(id, num, SETVAL, (union semun){ .val = v }));
}

static struct semid_ds stat_of(int id)
{
	struct semid_ds d;

	memset(&d, 0xee, sizeof(d));
	MUST(semctl(id, 0, IPC_STAT, (union semun){ .buf = &d }));
	return d;
}

/* Until somebody waits there. */
static void wait_waiting(int id, int num, int cmd, int n)
{
	while (semctl(id, num, cmd) < n)
		usleep(1000);
}

static void get(void)
{
	key_t key = 0x53460000 + getpid() % 0xffff;
	int id;

	RES("no such key", semget(key, 1, 0));
	RES("none", semget(key, 0, IPC_CREAT | 0600));
	RES("negative", semget(key, -1, IPC_CREAT | 0600));
	RES("too many", semget(key, 32001, IPC_CREAT | 0600));
	id = (int)MUST(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
	RES("exclusive", semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
	RES("more than there are", semget(key, 4, 0));
	YES("fewer", semget(key, 1, 0) == id && semget(key, 0, 0) == id);
	VAL("nsems", stat_of(id).sem_nsems);
	VAL("otime", stat_of(id).sem_otime);
	YES("ctime", time(NULL) - stat_of(id).sem_ctime < 5);
	RES("remove", semctl(id, 0, IPC_RMID));
	RES("again", semctl(id, 0, IPC_RMID));
	RES("operation on none", op1(id, 0, 1, 0));
}

static void control(void)
{
	unsigned short all[4] = { 1, 2, 3, 4 };
	int id = fresh(4);

	RES("setall", semctl(id, 0, SETALL, (union semun){ .array = all }));
	VAL("value 2", value(id, 2));
	set(id, 2, 77);
	memset(all, 0, sizeof(all));
	RES("getall", semctl(id, 0, GETALL, (union semun){ .array = all }));
	say("values %u %u %u %u", all[0], all[1], all[2], all[3]);
	YES("pid", semctl(id, 2, GETPID) == getpid());
	RES("index -1", semctl(id, -1, GETVAL));
	RES("index 4", semctl(id, 4, GETVAL));
	RES("setval index 4", semctl(id, 4, SETVAL, (union semun){ .val = 1 }));
	RES("value -1", semctl(id, 0, SETVAL, (union semun){ .val = -1 }));
	RES("value 32768", semctl(id, 0, SETVAL, (union semun){ .val = 32768 }));
	RES("value 32767", semctl(id, 0, SETVAL, (union semun){ .val = 32767 }));
	RES("one more", op1(id, 0, 1, 0));
	all[3] = 40000;
	RES("setall too large", semctl(id, 0, SETALL, (union semun){ .array = all }));
	VAL("unchanged", value(id, 1));
	RES("getall bad address", semctl(id, 0, GETALL, (union semun){ .array = (void *)8 }));
	RES("setall bad address", semctl(id, 0, SETALL, (union semun){ .array = (void *)8 }));
	RES("bad command", semctl(id, 0, 99));
	RES("bad id", semctl(-1, 0, GETVAL));
	VAL("ncnt", semctl(id, 0, GETNCNT));
	VAL("zcnt", semctl(id, 0, GETZCNT));
	MUST(semctl(id, 0, IPC_RMID));
}

static void operations(void)
{
	struct sembuf several[] = { { 0, 1, 0 }, { 0, 1, 0 }, { 1, -1, IPC_NOWAIT } };
	struct sembuf swap[] = { { 0, -1, 0 }, { 1, 1, 0 }, { 0, 0, IPC_NOWAIT } };
	struct sembuf undone[] = { { 0, -1, IPC_NOWAIT }, { 1, -9, IPC_NOWAIT } };
	static struct sembuf many[501];
	int id = fresh(2);

	RES("up", op1(id, 0, 1, 0));
	VAL("value", value(id, 0));
	YES("otime", time(NULL) - stat_of(id).sem_otime < 5);
	RES("down", op1(id, 0, -1, 0));
	RES("down no wait", op1(id, 0, -1, IPC_NOWAIT));
	RES("zero", op1(id, 0, 0, 0));
	RES("all or none", semop(id, several, 3));
	say("values %d %d", value(id, 0), value(id, 1));
	set(id, 1, 1);
	RES("all", semop(id, several, 3));
	say("values %d %d", value(id, 0), value(id, 1));
	set(id, 0, 1);
	RES("swap", semop(id, swap, 3));
	say("values %d %d", value(id, 0), value(id, 1));
	set(id, 0, 5);
	RES("second fails", semop(id, undone, 2));
	say("values %d %d", value(id, 0), value(id, 1));
	RES("none", semop(id, several, 0));
	RES("too many", semop(id, many, 501));
	for (size_t i = 0; i < COUNT(many); i++)
		many[i].sem_flg = IPC_NOWAIT;
	RES("500", semop(id, many, 500));
	set(id, 0, 0);
	RES("500 zeroes", semop(id, many, 500));
	RES("bad index", op1(id, 2, 1, 0));
	RES("bad address", semop(id, (void *)8, 1));
	RES("bad id", semop(-1, several, 1));
	RES("timeout", semtimedop(id, &several[2], 1, &(struct timespec){ 0, 1000000 }));
	several[2].sem_flg = 0;
	RES("timeout",
	    semtimedop(id, &(struct sembuf){ 0, -1, 0 }, 1, &(struct timespec){ 0, 1000000 }));
	RES("negative timeout",
	    semtimedop(id, &(struct sembuf){ 0, -1, 0 }, 1, &(struct timespec){ -1, 0 }));
	RES("bad timeout",
	    semtimedop(id, &(struct sembuf){ 0, -1, 0 }, 1, &(struct timespec){ 0, 1000000000 }));
	MUST(semctl(id, 0, IPC_RMID));
}

static void on_alarm(int sig UNUSED)
{
}

static void waiting(void)
{
	int id = fresh(3), a, b;

	a = START({ RES("first", op1(id, 0, -2, 0)); });
	wait_waiting(id, 0, GETNCNT, 1);
	b = START({ RES("second", op1(id, 0, -1, 0)); });
	wait_waiting(id, 0, GETNCNT, 2);
	MUST(op1(id, 0, 1, 0));
	say_status("who needs less goes first", wait_for(b));
	VAL("waiting", semctl(id, 0, GETNCNT));
	MUST(op1(id, 0, 2, 0));
	say_status("then the other", wait_for(a));
	YES("pid of the last", semctl(id, 0, GETPID) == a);
	set(id, 1, 2);
	a = START({ RES("zero", op1(id, 1, 0, 0)); });
	wait_waiting(id, 1, GETZCNT, 1);
	MUST(op1(id, 1, -1, 0));
	VAL("still waits", semctl(id, 1, GETZCNT));
	set(id, 1, 0);
	say_status("zero", wait_for(a));
	a = START({ RES("removed", op1(id, 2, -1, 0)); });
	b = START({
		signal(SIGALRM, on_alarm);
		struct sembuf two[] = { { 1, 1, 0 }, { 2, -1, 0 } };
		struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };

		sigaction(SIGALRM, &sa, NULL);
		ualarm(20000, 0);
		RES("interrupted", semop(id, two, 2));
		VAL("nothing done", value(id, 1));
	});
	say_status("signal", wait_for(b));
	wait_waiting(id, 2, GETNCNT, 1);
	MUST(semctl(id, 0, IPC_RMID));
	say_status("rmid", wait_for(a));
}

static void undo(void)
{
	int id = fresh(3), pid;

	set(id, 0, 5);
	say_status("child", CHILD({
			   MUST(op1(id, 0, -3, SEM_UNDO));
			   MUST(op1(id, 1, 2, SEM_UNDO));
			   MUST(op1(id, 2, 2, 0));
			   say("inside %d %d %d", value(id, 0), value(id, 1), value(id, 2));
		   }));
	say("after %d %d %d", value(id, 0), value(id, 1), value(id, 2));
	say_status("setval forgets", CHILD({
			   MUST(op1(id, 0, -3, SEM_UNDO));
			   set(id, 0, 9);
		   }));
	VAL("after", value(id, 0));
	say_status("not below zero", CHILD({
			   MUST(op1(id, 1, 3, SEM_UNDO));
			   MUST(op1(id, 1, -2, 0));
		   }));
	VAL("after", value(id, 1));
	say_status("exec keeps", CHILD({
			   MUST(op1(id, 1, 4, SEM_UNDO));
			   execl("/bin/true", "true", NULL);
		   }));
	VAL("after exec", value(id, 1));
	say_status("fork does not inherit", CHILD({
			   MUST(op1(id, 1, 4, SEM_UNDO));
			   if (CHILD({}) != 0)
				   _exit(1);
			   VAL("after the grandchild", value(id, 1));
		   }));
	VAL("after the child", value(id, 1));
	set(id, 2, 1);
	pid = START({ _exit(op1(id, 2, -2, 0) == 0 ? 7 : 8); });
	wait_waiting(id, 2, GETNCNT, 1);
	say_status("the end of another wakes", CHILD({
			   MUST(op1(id, 2, -1, SEM_UNDO));
			   MUST(op1(id, 2, 1, 0));
		   }));
	say_status("waiter", wait_for(pid));
	say("value %d, pid %s", value(id, 2), semctl(id, 2, GETPID) == pid ? "waiter" : "other");
	say_status("limit", CHILD({
			   set(id, 0, 0);
			   MUST(op1(id, 0, 32767, SEM_UNDO));
			   MUST(op1(id, 0, -32767, 0));
			   RES("one more", op1(id, 0, 1, SEM_UNDO));
			   RES("two more", op1(id, 0, 2, SEM_UNDO));
		   }));
	VAL("after", value(id, 0));
	say_status("killed", CHILD({
			   MUST(op1(id, 0, 7, SEM_UNDO));
			   raise(SIGKILL);
		   }));
	VAL("after", value(id, 0));
	say_status("removed before the end", CHILD({
			   int other = fresh(1);

			   MUST(op1(other, 0, 7, SEM_UNDO));
			   MUST(semctl(other, 0, IPC_RMID));
		   }));
	MUST(semctl(id, 0, IPC_RMID));
}

static int thread_id;

static void *thread(void *arg UNUSED)
{
	MUST(op1(thread_id, 0, 1, SEM_UNDO));
	return NULL;
}

static void threads(void)
{
	thread_id = fresh(1);
	say_status("child", CHILD({
			   pthread_t t;

			   pthread_create(&t, NULL, thread, NULL);
			   pthread_join(t, NULL);
			   VAL("a thread's end changes nothing", value(thread_id, 0));
		   }));
	VAL("the process's does", value(thread_id, 0));
	MUST(semctl(thread_id, 0, IPC_RMID));
}

static void rights(void)
{
	int id = fresh(2);
	struct semid_ds d = stat_of(id);

	d.sem_perm.mode = 0604;
	d.sem_perm.gid = 77;
	RES("set", semctl(id, 0, IPC_SET, (union semun){ .buf = &d }));
	say("mode %o gid %u cgid %u", stat_of(id).sem_perm.mode, stat_of(id).sem_perm.gid,
	    stat_of(id).sem_perm.cgid);
	say_status("another", CHILD({
			   MUST(setgid(4321));
			   MUST(setuid(4321));
			   RES("read", semctl(id, 0, GETVAL));
			   RES("zero", op1(id, 0, 0, 0));
			   RES("up", op1(id, 0, 1, 0));
			   RES("set", semctl(id, 0, SETVAL, (union semun){ .val = 1 }));
			   RES("setall",
			       semctl(id, 0, SETALL, (union semun){ .array = (void *)8 }));
			   RES("remove", semctl(id, 0, IPC_RMID));
			   RES("change", semctl(id, 0, IPC_SET, (union semun){ .buf = &d }));
		   }));
	say_status("of the group", CHILD({
			   MUST(setgid(77));
			   MUST(setuid(4321));
			   RES("read", semctl(id, 0, GETVAL));
			   RES("get", semget(0x77, 0, 0));
		   }));
	RES("bad address", semctl(id, 0, IPC_SET, (union semun){ .buf = (void *)8 }));
	MUST(semctl(id, 0, IPC_RMID));
}

static void info(void)
{
	struct seminfo i;
	struct semid_ds d;
	int id = fresh(7), max, before;
	FILE *f;
	char line[256];

	max = (int)MUST(semctl(0, 0, IPC_INFO, (union semun){ .info = &i }));
	say("map %d mni %d mns %d mnu %d msl %d opm %d ume %d usz %d vmx %d aem %d", i.semmap,
	    i.semmni, i.semmns, i.semmnu, i.semmsl, i.semopm, i.semume, i.semusz, i.semvmx,
	    i.semaem);
	MUST(semctl(0, 0, SEM_INFO, (union semun){ .info = &i }));
	before = i.semaem;
	MUST(semctl(fresh(9), 0, SEM_INFO, (union semun){ .info = &i }));
	VAL("more semaphores", i.semaem - before);
	for (int n = 0; n <= max; n++)
		if (semctl(n, 0, SEM_STAT, (union semun){ .buf = &d }) == id)
			VAL("found", d.sem_nsems);
	RES("not there", semctl(20000, 0, SEM_STAT, (union semun){ .buf = &d }));
	f = fopen("/proc/sysvipc/sem", "r");
	STR("heading", fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f) != NULL) {
		int key, n;
		unsigned mode, nsems;

		if (sscanf(line, "%d %d %o %u", &key, &n, &mode, &nsems) == 4 && n == id)
			say("key %d mode %o nsems %u, %zu characters", key, mode, nsems,
			    strlen(line));
	}
	fclose(f);
	MUST(semctl(id, 0, IPC_RMID));
}

/* Philosophers: pairs of semaphores taken at once. */
static void philosophers(void)
{
	unsigned short one[5] = { 1, 1, 1, 1, 1 };
	int id = fresh(5), pid[5], bad = 0;

	MUST(semctl(id, 0, SETALL, (union semun){ .array = one }));
	for (int i = 0; i < 5; i++)
		pid[i] = START({
			unsigned short a = (unsigned short)i;
			unsigned short b = (unsigned short)((i + 1) % 5);
			struct sembuf take[] = { { a, -1, SEM_UNDO }, { b, -1, SEM_UNDO } };
			struct sembuf give[] = { { a, 1, SEM_UNDO }, { b, 1, SEM_UNDO } };

			for (int n = 0; n < 300; n++) {
				MUST(semop(id, take, 2));
				if (n % 3 == 0)
					sched_yield();
				MUST(semop(id, give, 2));
			}
			MUST(semop(id, take, 2)); /* and gone */
		});
	for (int i = 0; i < 5; i++)
		bad |= wait_for(pid[i]);
	VAL("ends", bad);
	for (int i = 0; i < 5; i++)
		VAL("fork", value(id, i));
	MUST(semctl(id, 0, IPC_RMID));
}

static const struct section sections[] = {
	{ "get", get },         { "control", control }, { "operations", operations },
	{ "waiting", waiting }, { "undo", undo },       { "threads", threads },
	{ "rights", rights },   { "info", info },       { "philosophers", philosophers },
};

int main(int argc, char **argv)
{
	return run_sections(argc, argv, sections, COUNT(sections));
}
