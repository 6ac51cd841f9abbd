/*
 * monitor: executes a launch plan.
 *
 * Theory of operation. TypeScript builds a list of operations (plan.ts); this program maps it from fd 3 and runs it from
 * the first operation on: raw system calls whose arguments are numbers, addresses inside the plan or results of earlier
 * operations, and the few things that no single system call does (the PSEUDO numbers below). A clone-like operation goes
 * on in the child at another place of the list, so one plan holds what the monitor, the joiner and a container's PID 1 do.
 * Progress and errors are reported as 16-byte records on the socket fd 4, or on what a plan names in its place. The program never allocates, has no libc and
 * reads nothing but its plan, so it can run between clone and exec, where no JavaScript can, and costs 12 KB of memory
 * while it waits for a container.
 *
 * It trusts its plan (its own user wrote it) and nothing else: a peer on its socket must be of its own uid.
 */
#include "freestanding.h"
#include "remove-tree.h"

enum { PLAN_FD = 3, STATUS_FD = 4 };

/* The plan's layout: plan-layout.ts states the same, its test compares both. */
struct header {
	u32 magic, op_count, reloc_count, size;
};
struct op {
	u16 number;  /* of the system call, or a PSEUDO */
	u16 flags;   /* FLAG_* */
	u32 kinds;   /* 4 bits an argument: KIND_* */
	s32 jump;    /* where FLAG_CHILD, FLAG_ELSE and PSEUDO_JUMP go */
	u32 reserved;
	u64 args[6];
	s64 result;
};
struct record {
	u32 kind, op;
	s64 value;
};
struct supervision {
	s64 listen_fd;
	s64 stdin_fd;             /* closed on the client's request; -1: none */
	u64 fd_count;
	s32 fds[4];               /* handed to agent and clients */
	char *exit_path, *exit_temporary;
	char *lock_path;          /* held by the agent as long as it lives */
	char *agent;
	char **agent_argv, **agent_envp;
};

enum { MAGIC = 0x6e757274 }; /* "trun" */
enum { EXIT_LENGTH = 16 };   /* bytes of the file with the wait(2) status */
enum { FLAG_IGNORE = 1, FLAG_CHILD = 2, FLAG_NONZERO = 4, FLAG_ELSE = 8 };
enum { KIND_VALUE, KIND_ADDRESS, KIND_RESULT, KIND_LOAD32 };
enum { RECORD_ERROR = 1, RECORD_NOTE = 2, RECORD_EXIT = 3 };
enum {
	PSEUDO_NOTE = 0xf000, /* value                  report it */
	PSEUDO_PROC_PATH,     /* to, pid, name          write "/proc/<pid>/<name>" */
	PSEUDO_EXEC,          /* paths, argv, envp      execve the first that can be */
	PSEUDO_JUMP,
	PSEUDO_SUPERVISE,     /* supervision, joiner    be a container's monitor */
	PSEUDO_REAP,          /* joiner                 wait for the other child, report its status */
	PSEUDO_INIT,          /* child                  be PID 1 */
	PSEUDO_REMOVE_TREE,   /* directory fd           remove all that is in it */
	PSEUDO_FAIL,          /* errno                  report it as this operation's error */
	PSEUDO_STATUS,        /* fd                     report there from now on */
};

static __attribute__((noreturn)) void leave(int code)
{
	for (;;) sys(exit_group, code);
}

static void report(s64 status, u32 kind, u32 op, s64 value)
{
	struct record record = { kind, op, value };
	sys(sendto, status, &record, sizeof record, 0x4000 /* MSG_NOSIGNAL */, 0, 0);
}

/* execvp(3)'s rule: go on after "not there", remember "not allowed" over it. */
static s64 exec_first(char **paths, char **argv, char **envp)
{
	s64 error = -2 /* ENOENT */;
	for (; *paths; paths++) {
		s64 now = sys(execve, *paths, argv, envp);
		if (now == -EACCES) error = now;
		else if (now != -2 && now != -ENOTDIR) return now;
	}
	return error;
}

/*
 * The temporary file is there already, full of blanks: written over and renamed, it needs no room on a full disk. What
 * could not be written gets no name: no status is better than a wrong one.
 */
static void write_exit_status(struct supervision *s, u32 status)
{
	char text[EXIT_LENGTH];
	u8 *end = memset(text, ' ', sizeof text);
	s64 fd = sys(openat, AT_FDCWD, s->exit_temporary, O_WRONLY_CREAT_CLOEXEC, 0600), written;
	if (fd < 0) return;
	*append_number((char *)end, status) = ' ';
	text[sizeof text - 1] = '\n';
	written = sys(write, fd, text, sizeof text);
	sys(close, fd);
	if (written == sizeof text) sys(renameat2, AT_FDCWD, s->exit_temporary, AT_FDCWD, s->exit_path, 0);
}

/* The container's stdin ends. From here on nobody is handed it any more. */
static void close_stdin(struct supervision *s)
{
	u64 kept = 0;
	if (s->stdin_fd < 0) return;
	for (u64 i = 0; i < s->fd_count; i++)
		if (s->fds[i] != s->stdin_fd) s->fds[kept++] = s->fds[i];
	s->fd_count = kept;
	sys(close, s->stdin_fd);
	s->stdin_fd = -1;
}

/* Hands the container's fds over with one byte: 'R' it runs, 'X' it has exited. unix(7), cmsg(3). */
static void hand_over(struct supervision *s, s64 to, u8 state)
{
	struct { u64 length; s32 level, type; s32 fds[4]; } control = { 16 + 4 * s->fd_count, 1, 1, { 0 } };
	struct { void *base; u64 length; } vector = { &state, 1 };
	struct { void *name; u64 name_length; void *vectors; u64 count; void *control; u64 control_length; u64 flags; } message = {
		0, 0, &vector, 1, &control, sizeof control, 0
	};
	for (u64 i = 0; i < s->fd_count; i++) control.fds[i] = s->fds[i];
	message.control_length = (16 + 4 * s->fd_count + 7) & ~7ul;
	sys(sendmsg, to, &message, 0x4040 /* MSG_NOSIGNAL | MSG_DONTWAIT */);
}

/*
 * The agent holds the lock from before its exec on, so of many monitors one starts it. It is cloned twice, so that it is
 * nobody's child here: whatever else we reap is the container.
 */
static void start_agent(struct supervision *s)
{
	s64 lock = sys(openat, AT_FDCWD, s->lock_path, O_RDWR_CREAT_CLOEXEC, 0600);
	if (lock < 0) return;
	if (sys(flock, lock, 2 | 4 /* LOCK_EX | LOCK_NB */) == 0) {
		s64 between = sys(clone, SIGCHLD, 0, 0, 0, 0);
		if (between == 0) {
			u64 no_signals = 0;
			if (sys(clone, SIGCHLD, 0, 0, 0, 0) != 0) leave(0);
			sys(rt_sigprocmask, 2 /* SIG_SETMASK */, &no_signals, 0, 8);
			sys(setsid, 0);
			sys(dup3, lock, 3, 0);
			sys(close_range, 4, ~0u, 0);
			sys(execve, s->agent, s->agent_argv, s->agent_envp);
			leave(127);
		}
		if (between > 0) sys(wait4, between, 0, 0, 0);
	}
	sys(close, lock);
}

/*
 * A container's monitor. Its children are the joiner, which exits at once, and PID 1. It stays after PID 1's end until an
 * agent says that it has drained the output: what was printed is in pipes that only we hold.
 * On its socket: 'A' I am the agent (the connection stays; its end means that the agent is gone), 'C' a client, gets the
 * fds; 'E' close stdin; on the agent's connection also 'D': all is drained, go.
 */
static __attribute__((noreturn)) void supervise(struct supervision *s, s64 joiner)
{
	u64 sigchld = 1ul << (SIGCHLD - 1);
	s64 children, agent = -1;
	s64 fifths = 1; /* of a second until another agent is tried: one that cannot start must not cost a processor */
	u8 state = 'R';
	s64 uid = sys(getuid, 0);

	sys(close, STATUS_FD);
	sys(close, PLAN_FD);
	sys(rt_sigprocmask, 0, &sigchld, 0, 8);
	children = sys(signalfd4, -1, &sigchld, 8, 04000 | 02000000);
	for (;;) {
		struct { s32 fd; u16 events, got; } poll[3] = {
			{ (s32)children, POLLIN, 0 }, { (s32)s->listen_fd, POLLIN, 0 }, { (s32)agent, POLLIN, 0 }
		};
		struct { s64 seconds, nanoseconds; } pause = { fifths / 5, fifths % 5 * 200000000 };
		s32 status;
		s64 pid, ready;

		while ((pid = sys(wait4, -1, &status, 1 /* WNOHANG */, 0)) > 0) {
			if (pid == joiner) {
				if (status) leave(127); /* it has reported why */
				continue;
			}
			write_exit_status(s, (u32)status);
			state = 'X';
			if (agent >= 0) sys(sendto, agent, &state, 1, 0x4040, 0, 0);
		}
		if (agent < 0) start_agent(s);
		ready = sys(ppoll, poll, 3, agent < 0 ? &pause : 0, 0, 8);
		if (ready == 0 && fifths < 100) fifths = fifths * 5 / 4 + 1;
		if (ready <= 0) continue;
		if (poll[0].got) {
			u8 drain[128];
			sys(read, children, drain, sizeof drain);
		}
		if (agent >= 0 && poll[2].got) {
			u8 word = 0;
			s64 n = sys(recvfrom, agent, &word, 1, 0x40 /* MSG_DONTWAIT */, 0, 0);
			if (n == 1 && word == 'D' && state == 'X') leave(0);
			if (n == 1 && word == 'E') close_stdin(s);
			if (n == 0 || (n < 0 && n != -11 && n != -EINTR)) {
				sys(close, agent);
				agent = -1;
			}
		}
		if (poll[1].got) {
			struct { s32 pid; u32 uid, gid; } peer = { 0, ~0u, 0 };
			u32 length = sizeof peer;
			struct { s64 seconds, microseconds; } patience = { 1, 0 };
			u8 word = 0;
			s64 client = sys(accept4, s->listen_fd, 0, 0, 02000000);
			if (client < 0) continue;
			sys(getsockopt, client, 1, 17 /* SO_PEERCRED */, &peer, &length);
			sys(setsockopt, client, 1, 20 /* SO_RCVTIMEO */, &patience, sizeof patience);
			if (peer.uid == (u32)uid && sys(recvfrom, client, &word, 1, 0, 0, 0) == 1) {
				if (word == 'A' || word == 'C') hand_over(s, client, state);
				if (word == 'E') close_stdin(s);
			}
			if (word == 'A' && peer.uid == (u32)uid) {
				if (agent >= 0) sys(close, agent);
				agent = client;
				fifths = 1;
			} else {
				sys(close, client);
			}
		}
	}
}

/* Waits for what the joiner cloned beside us, and reports how it ended. */
static __attribute__((noreturn)) void reap(s64 report_to, s64 joiner)
{
	s32 status;
	for (;;) {
		s64 pid = sys(wait4, -1, &status, 0, 0);
		if (pid == -EINTR) continue;
		if (pid < 0) leave(127);
		if (pid == joiner) {
			if (status) leave(127);
			continue;
		}
		report(report_to, RECORD_EXIT, 0, status);
		leave(0);
	}
}

/* PID 1 of --init: passes signals on to the program, reaps what is orphaned, ends as the program ends. */
static __attribute__((noreturn)) void be_init(s64 program)
{
	u64 all = ~0ul;
	sys(close, STATUS_FD);
	sys(rt_sigprocmask, 2, &all, 0, 8);
	for (;;) {
		s32 status;
		s64 pid;
		while ((pid = sys(wait4, -1, &status, 1, 0)) > 0)
			if (pid == program) leave((status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff);
		if (pid == -ECHILD) leave(0);
		s64 signal = sys(rt_sigtimedwait, &all, 0, 0, 8);
		if (signal > 0 && signal != SIGCHLD) sys(kill, program, signal);
	}
}

static u64 argument(u8 *plan, struct op *ops, struct op *op, int i)
{
	u64 value = op->args[i];
	switch (op->kinds >> (4 * i) & 15) {
	case KIND_ADDRESS: return (u64)plan + value;
	case KIND_RESULT: return (u64)ops[value].result;
	case KIND_LOAD32: return (u64)(s64)*(s32 *)(plan + value);
	default: return value;
	}
}

__attribute__((noreturn, used)) void run(void)
{
	s64 size = sys(lseek, PLAN_FD, 0, 2), status = STATUS_FD;
	u8 *plan = (u8 *)sys(mmap, 0, size, 3 /* READ|WRITE */, 2 /* PRIVATE */, PLAN_FD, 0);
	struct header *header = (struct header *)plan;
	if ((u64)plan > -4096ul || header->magic != MAGIC || header->size != size) leave(125);

	struct op *ops = (struct op *)(header + 1);
	u32 *relocations = (u32 *)(ops + header->op_count);
	for (u32 i = 0; i < header->reloc_count; i++) *(u64 *)(plan + relocations[i]) += (u64)plan;

	for (u32 at = 0; at < header->op_count;) {
		struct op *op = ops + at;
		u64 a[6];
		s64 result = 0;
		for (int i = 0; i < 6; i++) a[i] = argument(plan, ops, op, i);
		switch (op->number) {
		case PSEUDO_NOTE: report(status, RECORD_NOTE, at, (s64)a[0]); break;
		case PSEUDO_PROC_PATH:
			append(append(append_number(append((char *)a[0], "/proc/"), a[1]), "/"), (char *)a[2]);
			break;
		case PSEUDO_EXEC: result = exec_first((char **)a[0], (char **)a[1], (char **)a[2]); break;
		case PSEUDO_JUMP: at = (u32)op->jump; continue;
		case PSEUDO_SUPERVISE: supervise((struct supervision *)a[0], (s64)a[1]);
		case PSEUDO_REAP: reap(status, (s64)a[0]);
		case PSEUDO_INIT: be_init((s64)a[0]);
		case PSEUDO_REMOVE_TREE: result = remove_tree((s64)a[0]); break;
		case PSEUDO_FAIL: result = -(s64)a[0]; break;
		case PSEUDO_STATUS: status = (s64)a[0]; break;
		default:
			do result = call(op->number, a[0], a[1], a[2], a[3], a[4], a[5]);
			while (result == -EINTR);
		}
		op->result = result;
		if (result == 0 && op->flags & FLAG_NONZERO) result = -EPIPE;
		if (result < 0 && result >= -4095 && !(op->flags & FLAG_IGNORE)) {
			if (op->flags & FLAG_ELSE) {
				at = (u32)op->jump;
				continue;
			}
			report(status, RECORD_ERROR, at, -result);
			leave(127);
		}
		at = result == 0 && op->flags & FLAG_CHILD ? (u32)op->jump : at + 1;
	}
	leave(0);
}
