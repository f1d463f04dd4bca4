/*
 * What "libreuse run" is to become, or to refuse. It is built in many ways (see the Makefile), and
 * tells what really became of it: whether the kernel and the dynamic loader have let the shim in.
 *
 * Usage: target [exit STATUS | wait | ARGUMENT...]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifdef LIKE_GO
/* The note that the Go linker writes into every program. */
__asm__(".pushsection .note.go.buildid,\"a\",%note\n"
        ".balign 4\n"
        ".long 4, 8, 4\n"
        ".ascii \"Go\\0\\0\"\n"
        ".ascii \"a/b/c/d/\"\n"
        ".popsection");
#endif

static int is_mapped(const char *name)
{
    char line[1024];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        const char *last = strrchr(line, '/');
        found |= last != NULL && strncmp(last + 1, name, strlen(name)) == 0;
    }
    return found;
}

extern char **environ;

int main(int argc, char **argv)
{
    printf("pid=%d\n", (int)getpid());
    printf("secure=%d\n", getauxval(AT_SECURE) != 0);
    printf("shim=%d\n", is_mapped("libreuse.so"));
    for (int i = 1; i < argc; i++) {
        printf("argument=%s\n", argv[i]);
    }
    for (char **variable = environ; *variable != NULL; variable++) {
        if (strncmp(*variable, "LIBREUSE_", 9) == 0 || strncmp(*variable, "LD_PRELOAD", 10) == 0) {
            printf("%s\n", *variable);
        }
    }
    fflush(stdout);
    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        pause();
    }
    return argc > 2 && strcmp(argv[1], "exit") == 0 ? atoi(argv[2]) : 0;
}
