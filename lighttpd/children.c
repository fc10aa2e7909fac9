#include <config.h>

#include "lighttpd/children.h"

#include "common/clock.h"

#include "lighttpd/say.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define READY_VARIABLE "SHARDGATE_READY_FD=" /* where a program says that it serves: common/http.h */

/* A SIGHUP that was ignored when we were started (nohup) stays so: blocked, it would wake sigwaitinfo() all the same. */
static void waited_signals(sigset_t *set)
{
    struct sigaction hangup;

    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGUSR1);
    if (sigaction(SIGHUP, NULL, &hangup) != 0 || hangup.sa_handler != SIG_IGN)
        sigaddset(set, SIGHUP);
}

int children_init(struct children *c, size_t max)
{
    sigset_t set;

    *c = (struct children){.list = calloc(max, sizeof(*c->list))};
    if (c->list == NULL)
        return complain("out of memory");
    waited_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN); /* who read the progress may have gone */
    return 0;
}

static void free_texts(char **texts)
{
    for (; *texts != NULL; texts++)
        free(*texts);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void children_clear(struct children *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct child *child = &c->list[i];

        close_fd(&child->listener);
        close_fd(&child->ready);
        free_texts(child->arguments);
        free_texts(child->environment);
        free(child->name);
        free(child->log);
        free(child->socket);
    }
    free(c->list);
    *c = (struct children){0};
}

static void copy_texts(char **to, size_t max, const char *const *from)
{
    for (size_t i = 0; from != NULL && from[i] != NULL && i < max - 1; i++)
        to[i] = text("%s", from[i]);
}

struct child *children_add(struct children *c, const struct child_spec *spec)
{
    struct child *child = &c->list[c->count++];

    *child = (struct child){.stage = spec->stage, .stop_signal = spec->stop_signal, .listener = -1, .ready = -1};
    child->name = text("%s", spec->name);
    child->log = text("%s", spec->log);
    child->socket = spec->socket != NULL ? text("%s", spec->socket) : NULL;
    copy_texts(child->arguments, CHILD_MAX_ARGUMENTS, spec->arguments);
    copy_texts(child->environment, CHILD_MAX_ENVIRONMENT - 1, spec->environment);
    return child;
}

/* The socket is ours: whoever serves it may die or be replaced, and who connects meanwhile only waits. */
static int open_listener(struct child *child)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (child->socket == NULL || child->listener >= 0)
        return 0;
    if (strlen(child->socket) >= sizeof(address.sun_path))
        return complain("%s: too long a name for a socket", child->socket);
    memcpy(address.sun_path, child->socket, strlen(child->socket) + 1);
    (void)unlink(child->socket); /* of a launcher that was killed */
    child->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (child->listener < 0 || bind(child->listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(child->listener, CHILD_BACKLOG) != 0) {
        close_fd(&child->listener);
        return complain("%s: %s", child->socket, strerror(errno));
    }
    return 0;
}

/* In the new process: until execv() only what is safe between fork and exec. */
static void become(struct child *child, pid_t launcher, int log, int ready)
{
    sigset_t none;
    int input = child->listener >= 0 ? child->listener : open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != launcher) /* it died before it could be heard */
        _exit(EXIT_FAILURE);
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (ready >= 0)
        (void)fcntl(ready, F_SETFD, 0);
    for (char **variable = child->environment; *variable != NULL; variable++)
        putenv(*variable);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_IGN); /* a file that must not grow is an error of the write, not the end of a program */
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

/* Writes the variable that names the descriptor into the last place of the environment. */
static void name_ready(struct child *child, int fd)
{
    size_t i = 0;

    while (child->environment[i] != NULL && strncmp(child->environment[i], READY_VARIABLE, strlen(READY_VARIABLE)) != 0)
        i++;
    free(child->environment[i]);
    child->environment[i] = text(READY_VARIABLE "%d", fd);
}

int children_start(struct child *child)
{
    pid_t launcher = getpid();
    int ready[2] = {-1, -1};
    int log = -1;
    pid_t pid = -1;

    child->restart_ms = 0;
    close_fd(&child->ready);
    if (open_listener(child) != 0)
        return -1;
    log = open_log(child->log);
    if (log < 0)
        return complain("%s: %s", child->log, strerror(errno));
    if (child->listener >= 0 && pipe2(ready, O_CLOEXEC) == 0)
        name_ready(child, ready[1]);
    pid = fork();
    if (pid == 0)
        become(child, launcher, log, ready[1]);
    close(log);
    close_fd(&ready[1]);
    if (pid < 0) {
        close_fd(&ready[0]);
        return complain("%s: cannot start: %s", child->name, strerror(errno));
    }
    child->pid = pid;
    child->ready = ready[0];
    child->started_ms = clock_now_ms();
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
    int64_t now = clock_now_ms();
    char how[128];

    child->pid = 0;
    close_fd(&child->ready);
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

/* Takes note of every process that has ended. */
static void reap(struct children *c, bool restart)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (size_t i = 0; i < c->count; i++) {
            if (c->list[i].pid == pid)
                note_end(c, &c->list[i], status, restart);
            else if (c->list[i].leaving == pid)
                c->list[i].leaving = 0;
        }
    }
}

/* Starts those whose pause is over; the time in ms until the next one's is, `limit` (-1: none) at most. */
static int restart_due(struct children *c, int limit)
{
    for (size_t i = 0; i < c->count; i++) {
        struct child *child = &c->list[i];
        int64_t left = child->restart_ms - clock_now_ms();

        if (child->restart_ms == 0)
            continue;
        if (left <= 0) {
            if (children_start(child) != 0)
                child->restart_ms = clock_now_ms() + CHILD_LONGEST_PAUSE_MS;
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
    else if (number == SIGUSR1)
        c->reload = true;
}

/* Does the newest process serve? 1, 0 for not yet, -1 when it has ended. */
static int is_ready(struct child *child)
{
    struct pollfd said = {.fd = child->ready, .events = POLLIN};
    char byte;

    if (child->pid == 0)
        return -1;
    if (child->ready < 0)
        return 1;
    if (poll(&said, 1, 0) <= 0 || read(child->ready, &byte, 1) != 1)
        return 0;
    close_fd(&child->ready);
    return 1;
}

int children_replace(struct children *c, struct child *child, int ms)
{
    int64_t until = clock_now_ms() + ms;
    int serves = -1;

    child->leaving = child->pid;
    if (children_start(child) != 0) {
        child->pid = child->leaving;
        child->leaving = 0;
        return -1;
    }
    /* What ends meanwhile is started again later: one thing after the other. */
    while ((serves = is_ready(child)) == 0 && clock_now_ms() < until && !c->interrupted)
        children_wait(c, CHILD_POLL_MS, true);
    if (serves <= 0) {
        pid_t failed = child->pid;

        if (failed != 0)
            (void)kill(failed, SIGKILL);
        child->pid = child->leaving;
        child->leaving = failed;
        child->restart_ms = child->pid == 0 ? clock_now_ms() : 0;
        return complain("%s: the new process does not serve; see %s", child->name, child->log);
    }
    if (child->leaving != 0)
        (void)kill(child->leaving, child->stop_signal);
    until = clock_now_ms() + CHILD_STOP_MS + CHILD_TERMINATE_MS;
    while (child->leaving != 0 && clock_now_ms() < until && !c->interrupted)
        children_wait(c, CHILD_POLL_MS, true);
    if (child->leaving != 0)
        (void)kill(child->leaving, SIGKILL);
    return 0;
}

/* Signals those of a stage that are alive. false when none is. */
static bool signal_alive(const struct children *c, int stage, int signal_number)
{
    bool any = false;

    for (size_t i = 0; i < c->count; i++) {
        const struct child *child = &c->list[i];

        if (child->stage != stage || (child->pid == 0 && child->leaving == 0))
            continue;
        any = true;
        if (signal_number == SIGKILL)
            complain("%s did not end: killed", child->name);
        if (signal_number != 0 && child->pid != 0)
            (void)kill(child->pid, signal_number);
        if (signal_number != 0 && child->leaving != 0)
            (void)kill(child->leaving, signal_number);
    }
    return any;
}

static void wait_for_end(struct children *c, int stage_of)
{
    /* A client that does not close its connection keeps a lighttpd that ends in peace for as long as it likes. */
    static const struct {
        int ms, next;
    } steps[] = {{CHILD_STOP_MS, SIGTERM}, {CHILD_TERMINATE_MS, SIGKILL}, {CHILD_TERMINATE_MS, 0}};
    int64_t since = clock_now_ms();
    size_t step = 0;

    reap(c, false);
    while (signal_alive(c, stage_of, 0)) {
        if (c->interrupted && steps[step].next != 0) {
            signal_alive(c, stage_of, SIGKILL);
            step = 2;
            since = clock_now_ms();
        } else if (clock_now_ms() - since > steps[step].ms) {
            if (steps[step].next == 0) /* stuck in the kernel */
                return;
            signal_alive(c, stage_of, steps[step].next);
            step++;
            since = clock_now_ms();
        }
        children_wait(c, 20, false);
    }
}

static void stop_stage(struct children *c, int stage)
{
    c->interrupted = false;
    for (size_t i = 0; i < c->count; i++) {
        struct child *child = &c->list[i];

        if (child->stage != stage)
            continue;
        child->restart_ms = 0;
        if (child->pid != 0)
            (void)kill(child->pid, child->stop_signal);
    }
    wait_for_end(c, stage);
    for (size_t i = 0; i < c->count; i++) {
        struct child *child = &c->list[i];

        if (child->stage == stage && child->listener >= 0) {
            (void)unlink(child->socket);
            close_fd(&child->listener);
        }
    }
}

void children_stop(struct children *c)
{
    int last = 0;

    c->stopping = true;
    for (size_t i = 0; i < c->count; i++)
        last = c->list[i].stage > last ? c->list[i].stage : last;
    for (int stage = last; stage >= 0; stage--)
        stop_stage(c, stage);
}
