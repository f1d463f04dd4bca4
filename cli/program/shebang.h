/*
 * The first line of a script, as the kernel understands it (execve(2), load_script() in
 * fs/binfmt_script.c), and what env(1) makes of its arguments when it stands there.
 */
#ifndef LIBREUSE_SHEBANG_H
#define LIBREUSE_SHEBANG_H

#include <stdbool.h>
#include <stddef.h>

/* How much of a file the kernel looks at: BINPRM_BUF_SIZE. */
enum { SHEBANG_SIZE = 256 };

struct shebang {
    char interpreter[SHEBANG_SIZE];
    char argument[SHEBANG_SIZE]; /* the only one; empty where there is none */
};

/*
 * Takes a file's first bytes. False where they are no line that the kernel would follow: execvp(3)
 * then gives the file to /bin/sh.
 */
bool shebang_parse(const char *bytes, size_t length, struct shebang *shebang);

/* What env(1) starts. */
struct shebang_env {
    char command[SHEBANG_SIZE]; /* empty where it names none */
    bool drops_preload;         /* it clears the environment, or takes LD_PRELOAD out of it */
};

/* Whether the interpreter is env(1), and what it would start. */
bool shebang_is_env(const struct shebang *shebang, struct shebang_env *env);

#endif
