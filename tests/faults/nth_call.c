/* Preloaded into a program: the N-th call of a function fails, as the file that SHARDGATE_NTH_CALL names says.
 *
 * The file is a struct control in memory that a test shares with all processes. Only the program's own allocations fail, not
 * those of libraries (what they make of it is theirs); reading, writing and connecting fails on sockets, whoever calls. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum function { ALLOCATE = 1, READ, WRITE, CONNECT };

struct control {
    atomic_int function;  /* an enum function; 0: none fails */
    atomic_int countdown; /* the call that makes it 0 fails */
    atomic_int failed;    /* calls that did */
};

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);

static struct control *control;
static void *program; /* where the program itself is loaded */
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_recv)(int, void *, size_t, int);
static ssize_t (*real_send)(int, const void *, size_t, int);
static int (*real_connect)(int, const struct sockaddr *, socklen_t);

__attribute__((constructor)) static void open_control(void)
{
    const char *path = getenv("SHARDGATE_NTH_CALL");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    Dl_info info;

    real_read = (ssize_t(*)(int, void *, size_t))(uintptr_t)dlsym(RTLD_NEXT, "read");
    real_write = (ssize_t(*)(int, const void *, size_t))(uintptr_t)dlsym(RTLD_NEXT, "write");
    real_recv = (ssize_t(*)(int, void *, size_t, int))(uintptr_t)dlsym(RTLD_NEXT, "recv");
    real_send = (ssize_t(*)(int, const void *, size_t, int))(uintptr_t)dlsym(RTLD_NEXT, "send");
    real_connect = (int (*)(int, const struct sockaddr *, socklen_t))(uintptr_t)dlsym(RTLD_NEXT, "connect");
    if (dladdr((const void *)getauxval(AT_ENTRY), &info) != 0)
        program = info.dli_fbase;
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        control = p;
}

static bool fails(void)
{
    if (atomic_load(&control->countdown) <= 0 || atomic_fetch_sub(&control->countdown, 1) != 1)
        return false;
    atomic_fetch_add(&control->failed, 1);
    return true;
}

static bool allocation_fails(const void *caller)
{
    Dl_info info;

    if (control == NULL || atomic_load(&control->function) != ALLOCATE || dladdr(caller, &info) == 0 || info.dli_fbase != program)
        return false;
    return fails();
}

static bool call_fails(enum function function, int fd)
{
    struct stat st;

    return control != NULL && atomic_load(&control->function) == (int)function && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) && fails();
}

void *malloc(size_t size)
{
    if (!allocation_fails(__builtin_return_address(0)))
        return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}

void *calloc(size_t count, size_t size)
{
    if (!allocation_fails(__builtin_return_address(0)))
        return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}

void *realloc(void *p, size_t size)
{
    if (!allocation_fails(__builtin_return_address(0)))
        return __libc_realloc(p, size);
    errno = ENOMEM;
    return NULL;
}

static ssize_t broken(void)
{
    errno = ECONNRESET;
    return -1;
}

ssize_t read(int fd, void *to, size_t size)
{
    return call_fails(READ, fd) ? broken() : real_read(fd, to, size);
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    return call_fails(READ, fd) ? broken() : real_recv(fd, to, size, flags);
}

ssize_t write(int fd, const void *from, size_t size)
{
    return call_fails(WRITE, fd) ? broken() : real_write(fd, from, size);
}

ssize_t send(int fd, const void *from, size_t size, int flags)
{
    return call_fails(WRITE, fd) ? broken() : real_send(fd, from, size, flags);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
    if (!call_fails(CONNECT, fd))
        return real_connect(fd, address, len);
    errno = ECONNREFUSED;
    return -1;
}
