/* What a freestanding program needs in place of a libc: system calls, a few constants, text. */
#include <asm/unistd.h>
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

enum { EPERM = 1, EINTR = 4, ECHILD = 10, EACCES = 13, EEXIST = 17, ENOTDIR = 20, EISDIR = 21, EPIPE = 32, ENOTEMPTY = 39 };
enum { O_RDWR_CREAT_CLOEXEC = 02 | 0100 | 02000000, O_WRONLY_CREAT_CLOEXEC = 01 | 0100 | 02000000 };
/* These differ between the architectures. */
#if defined(__aarch64__)
enum { O_FOLDER = 040000 | 0100000 | 02000000 /* O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC */ };
#else
enum { O_FOLDER = 0200000 | 0400000 | 02000000 };
#endif
enum { AT_FDCWD = -100, AT_REMOVEDIR = 0x200, SIGHUP = 1, SIGKILL = 9, SIGCHLD = 17, POLLIN = 1 };

#if defined(__x86_64__)
static s64 call(long n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 r10 __asm__("r10") = d;
	register u64 r8 __asm__("r8") = e;
	register u64 r9 __asm__("r9") = f;
	s64 result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}
__asm__(".globl _start\n_start:\n\txor %ebp,%ebp\n\tand $-16,%rsp\n\tcall run\n");
#elif defined(__aarch64__)
static s64 call(long n, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f)
{
	register u64 x8 __asm__("x8") = n;
	register u64 x0 __asm__("x0") = a;
	register u64 x1 __asm__("x1") = b;
	register u64 x2 __asm__("x2") = c;
	register u64 x3 __asm__("x3") = d;
	register u64 x4 __asm__("x4") = e;
	register u64 x5 __asm__("x5") = f;
	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return (s64)x0;
}
__asm__(".globl _start\n_start:\n\tmov x29,#0\n\tmov x30,#0\n\tbl run\n");
#endif
#define CALL6(n, a, b, c, d, e, f, ...) call(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define sys(n, ...) CALL6(__NR_##n, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* The compiler may turn loops into these. */
void *memset(void *to, int value, unsigned long count)
{
	for (volatile u8 *p = to; count--; p++) *p = (u8)value;
	return to;
}

static char *append(char *to, const char *text)
{
	while (*text) *to++ = *text++;
	*to = 0;
	return to;
}

static char *append_number(char *to, u64 value)
{
	char digits[24], *p = digits + sizeof digits;
	*--p = 0;
	do *--p = (char)('0' + value % 10);
	while (value /= 10);
	return append(to, p);
}
