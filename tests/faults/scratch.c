#include "tests/faults/scratch.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int scratch_make(char path[PATH_MAX])
{
    const char *parent = getenv("TMPDIR");
    if (!parent)
        parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    char template[PATH_MAX];
    int len = snprintf(template, sizeof template, "%s/shardgate-fault-XXXXXX", parent);
    if (len < 0 || len >= (int)sizeof template || !mkdtemp(template))
        return -1;
    return realpath(template, path) ? 0 : -1;
}

void scratch_empty(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

void scratch_remove(const char *path)
{
    scratch_empty(path);
    (void)rmdir(path);
}
