#include <config.h>

#include "lighttpd/children.h"

#include "lighttpd/folder.h"
#include "lighttpd/say.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int64_t children_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A SIGHUP that was ignored when we were started (nohup) stays so: blocked, it would wake sigwaitinfo() all the same. */
static void waited_signals(sigset_t *set)
{
    struct sigaction hangup;

    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP);
}

int children_init(struct children *c, size_t max, const struct folder *folder)
{
    sigset_t set;

    *c = (struct children){.folder = folder, .list = calloc(max, sizeof(*c->list))};
    if (c->list == NULL)
        return complain("out of memory");
    waited_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* who read the progress may have gone */
    /* The apps of a lighttpd that died come to us, so that we see the last of them end. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return complain("cannot adopt orphans: %s", strerror(errno));
    return 0;
}

void children_clear(struct children *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (char **a = c->list[i].arguments; *a != NULL; a++)
            free(*a);
        free(c->list[i].name);
        free(c->list[i].log);
        free(c->list[i].socket_prefix);
    }
    free(c->list);
    *c = (struct children){0};
}

struct child *children_add(struct children *c, const char *name, const char *log, int stop_signal, const char *socket_prefix,
                           const char *const *arguments)
{
    struct child *child = &c->list[c->count++];

    child->name = text("%s", name);
    child->log = text("%s", log);
    child->stop_signal = stop_signal;
    child->socket_prefix = socket_prefix != NULL ? text("%s", socket_prefix) : NULL;
    for (size_t i = 0; arguments[i] != NULL && i < CHILD_MAX_ARGUMENTS - 1; i++)
        child->arguments[i] = text("%s", arguments[i]);
    return child;
}

/* In the new process: until execv() only what is safe between fork and exec. */
static void become(const struct child *child, pid_t launcher, int log)
{
    sigset_t none;
    int null;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != launcher) /* it died before it could be heard */
        _exit(EXIT_FAILURE);
    null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (null > STDERR_FILENO)
        close(null);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(child->arguments[0], child->arguments);
    dprintf(STDERR_FILENO, "%s: %s\n", child->arguments[0], strerror(errno));
    _exit(127);
}

static int open_log(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0 && st.st_size > CHILD_LOG_MAX) {
        char *aside = text("%s.1", path);

        (void)rename(path, aside);
        free(aside);
    }
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

int children_start(struct children *c, struct child *child)
{
    pid_t launcher = getpid();
    int log = open_log(child->log);
    pid_t pid;

    if (log < 0)
        return complain("%s: %s", child->log, strerror(errno));
    if (child->socket_prefix != NULL)
        folder_remove_sockets(c->folder, child->socket_prefix);
    pid = fork();
    if (pid == 0)
        become(child, launcher, log);
    close(log);
    child->restart_ms = 0;
    if (pid < 0)
        return complain("%s: cannot start: %s", child->name, strerror(errno));
    child->pid = pid;
    child->group = pid;
    child->started_ms = children_now_ms();
    return 0;
}

static void describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(out, size, "ended with status %d", WEXITSTATUS(status));
}

static void note_end(struct children *c, struct child *child, int status, bool restart)
{
    int64_t now = children_now_ms();
    char how[128];

    child->pid = 0;
    /* What it started has nobody left to serve; a new one would find the old sockets taken. */
    (void)kill(-child->group, SIGTERM);
    if (c->stopping)
        return;
    describe_end(status, how, sizeof(how));
    if (!restart) {
        complain("%s %s; see %s", child->name, how, child->log);
        return;
    }
    if (now - child->started_ms >= CHILD_STEADY_MS || child->pause_ms == 0)
        child->pause_ms = CHILD_FIRST_PAUSE_MS;
    else if (child->pause_ms < CHILD_LONGEST_PAUSE_MS / 2)
        child->pause_ms *= 2;
    else
        child->pause_ms = CHILD_LONGEST_PAUSE_MS;
    child->restart_ms = now + child->pause_ms;
    complain("%s %s; starting it again in %d.%d s; see %s", child->name, how, child->pause_ms / 1000,
             child->pause_ms % 1000 / 100, child->log);
}

/* Takes note of every process that has ended; orphans that came to us need no more than that. */
static void reap(struct children *c, bool restart)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < c->count; i++) {
            if (c->list[i].pid == pid)
                note_end(c, &c->list[i], status, restart);
        }
    }
}

/* Starts those whose pause is over; the time in ms until the next one's is, `limit` (-1: none) at most. */
static int restart_due(struct children *c, int limit)
{
    for (size_t i = 0; i < c->count; i++) {
        struct child *child = &c->list[i];
        int64_t left = child->restart_ms - children_now_ms();

        if (child->restart_ms == 0)
            continue;
        if (left <= 0) {
            if (children_start(c, child) != 0)
                child->restart_ms = children_now_ms() + CHILD_LONGEST_PAUSE_MS;
        } else if (limit < 0 || left < limit) {
            limit = (int)left;
        }
    }
    return limit;
}

void children_wait(struct children *c, int ms, bool restart)
{
    sigset_t set;
    siginfo_t info;
    int number;

    waited_signals(&set);
    if (restart)
        ms = restart_due(c, ms);
    if (ms < 0)
        number = sigwaitinfo(&set, &info);
    else
        number = sigtimedwait(&set, &info, &(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L});
    reap(c, restart);
    if (number == SIGINT || number == SIGTERM || number == SIGHUP)
        c->interrupted = true;
}

/* Does the process or anything that it started still run? */
static bool is_alive(const struct child *child)
{
    return child->group != 0 && kill(-child->group, 0) == 0;
}

/* Signals those of first … last that are alive. false when none is. */
static bool signal_alive(const struct children *c, size_t first, size_t last, int signal_number)
{
    bool any = false;

    for (size_t i = first; i <= last && i < c->count; i++) {
        if (!is_alive(&c->list[i]))
            continue;
        any = true;
        if (signal_number == SIGKILL)
            complain("%s did not end: killed", c->list[i].name);
        (void)kill(-c->list[i].group, signal_number);
    }
    return any;
}

static void wait_for_end(struct children *c, size_t first, size_t last)
{
    /* A client that does not close its connection keeps a lighttpd that ends in peace for as long as it likes. */
    static const struct {
        int ms, next;
    } stages[] = {{CHILD_STOP_MS, SIGTERM}, {CHILD_TERMINATE_MS, SIGKILL}, {CHILD_TERMINATE_MS, 0}};
    int64_t since = children_now_ms();
    size_t stage = 0;

    reap(c, false);
    while (signal_alive(c, first, last, 0)) {
        if (c->interrupted && stages[stage].next != 0) {
            signal_alive(c, first, last, SIGKILL);
            stage = 2;
            since = children_now_ms();
        } else if (children_now_ms() - since > stages[stage].ms) {
            if (stages[stage].next == 0) /* stuck in the kernel */
                return;
            signal_alive(c, first, last, stages[stage].next);
            stage++;
            since = children_now_ms();
        }
        children_wait(c, 20, false);
    }
}

void children_stop(struct children *c, size_t first, size_t last)
{
    c->stopping = true;
    c->interrupted = false;
    for (size_t i = first; i <= last && i < c->count; i++) {
        c->list[i].restart_ms = 0;
        if (c->list[i].pid != 0)
            (void)kill(c->list[i].pid, c->list[i].stop_signal);
    }
    wait_for_end(c, first, last);
    for (size_t i = first; i <= last && i < c->count; i++) {
        if (c->list[i].socket_prefix != NULL)
            folder_remove_sockets(c->folder, c->list[i].socket_prefix);
    }
}
