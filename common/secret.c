#include "common/secret.h"

#include "common/buf.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 8192

/* 0 with the first line in `out`; -1 with the reason, which is a constant or strerror's. */
static int read_line(int fd, char out[SECRET_MAX], const char **reason)
{
    ssize_t len = read(fd, out, SECRET_MAX);
    if (len < 0) {
        *reason = strerror(errno);
        return -1;
    }
    if (len == SECRET_MAX) {
        *reason = "the file is too long";
        return -1;
    }
    out[len] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
    *reason = "the first line is empty";
    return out[0] != '\0' ? 0 : -1;
}

int secret_read(const char *folder, const char *path, char out[SECRET_MAX])
{
    const char *reason = "the path is too long";
    struct stat st;
    struct buf full;
    int rc = -1, fd = -1;

    buf_init(&full, PATH_BYTES_MAX);
    if (path[0] != '/') {
        buf_append_text(&full, folder);
        buf_append_char(&full, '/');
    }
    buf_append_text(&full, path);
    if (buf_status(&full) != 0)
        goto out;
    fd = open(buf_text(&full), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        reason = strerror(errno);
        goto out;
    }
    if (fstat(fd, &st) == 0 && (st.st_mode & 077) != 0)
        log_warning("%s: others than its owner may use it (mode %03o): make it 0600", buf_text(&full),
                    (unsigned)(st.st_mode & 0777));
    rc = read_line(fd, out, &reason);
out:
    if (rc != 0)
        log_error("%s: %s", buf_text(&full), reason);
    if (fd >= 0)
        close(fd);
    buf_clear(&full);
    return rc;
}
