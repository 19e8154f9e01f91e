/* replay -- a fuzz target's main where there is no libFuzzer: runs it over every file of the
 * folders (or files) that the command line names. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 4 * 1024 * 1024, PATH_BYTES = 4096 };

static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    uint8_t *data = malloc(INPUT_MAX);
    size_t size = data ? fread(data, 1, INPUT_MAX, file) : 0;
    fclose(file);
    /* Of exactly its size, so that a read beyond it is seen. */
    uint8_t *exact = data ? realloc(data, size ? size : 1) : NULL;
    if (!exact) {
        perror(path);
        free(data);
        return 1;
    }
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int run(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return run_file(path);
    int failed = 0, count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char file[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        failed |= run_file(file);
        count++;
    }
    closedir(folder);
    printf("%s: %d files\n", path, count);
    return failed || !count;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= run(argv[i]);
    return failed;
}
