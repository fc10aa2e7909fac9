/* Secrets in files of one line: the workers' token, a database's password.
 *
 * Knows nothing about what a secret is for. Both ends of the token read it by this function, so that they agree on what the
 * file says.
 */
#ifndef SHARDGATE_SECRET_H
#define SHARDGATE_SECRET_H

#define SECRET_MAX 512 /* bytes, the NUL included */

/* Reads the first line of `path` (relative to `folder` unless it begins with a slash) without its line end. 0; -1, logged,
 * for a file that cannot be read, whose first line is empty, or that has SECRET_MAX bytes or more: nothing is ever cut. A file
 * that others than its owner may read is taken with a warning. The caller wipes `out`. */
int secret_read(const char *folder, const char *path, char out[SECRET_MAX]) __attribute__((warn_unused_result));

#endif
