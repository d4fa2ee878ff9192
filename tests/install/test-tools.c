/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes of the tree: what installs packages and what does not, and what a release must agree on. */
#include "command.h"

#include <string.h>
#include <sys/stat.h>

/* $RMIL_SOURCE/tools/… with commands of our own before the system's. */
static void run(Outcome *o, const char *folder, const char *line) {
    g_autofree char *script = g_strdup_printf("PATH=%s/bin:$PATH; export PATH; %s", folder, line);
    command_shell(o, folder, script);
}

static void fake(const char *folder, const char *name, const char *body) {
    g_autofree char *bin = g_build_filename(folder, "bin", NULL), *text = g_strconcat("#!/bin/sh\n", body, "\n", NULL);
    g_assert_cmpint(g_mkdir_with_parents(bin, 0755), ==, 0);
    g_autofree char *path = test_file(bin, name, text);
    g_assert_cmpint(chmod(path, 0755), ==, 0);
}

/* `make` asks, says, and ends; `make setup` installs. */
static void test_setup(void) {
    g_autofree char *folder = test_folder(), *make = g_find_program_in_path("make");
    g_auto(Outcome) o = {0};
    fake(folder, "dpkg-query", "case \"$*\" in *libzip-dev|*gcc) exit 1 ;; esac; echo install ok installed");
    fake(folder, "apt-get", "echo \"$*\" >>called");
    fake(folder, "sudo", "exec \"$@\"");
    run(&o, folder, "\"$RMIL_SOURCE\"/tools/setup --check");
    command_expect(&o, 1, "packages are missing, and nothing was installed: gcc libzip-dev\n");
    command_expect(&o, 1, "'make setup' installs them");
    g_assert_false(test_exists(folder, "called"));
    if (make) {
        run(&o, folder, "make -C \"$RMIL_SOURCE\" all");
        command_expect(&o, 2, "nothing was installed: gcc libzip-dev\n");
        g_assert_false(test_exists(folder, "called"));
    }
    run(&o, folder, "\"$RMIL_SOURCE\"/tools/setup");
    command_expect(&o, 0, "");
    g_autofree char *called = test_bytes(folder, "called", NULL);
    g_assert_nonnull(strstr(called, "--no-install-recommends gcc libzip-dev\n"));
    fake(folder, "dpkg-query", "echo install ok installed");
    run(&o, folder, "\"$RMIL_SOURCE\"/tools/setup --check");
    command_expect(&o, 0, "");
    g_assert_cmpstr(o.err, ==, "");
    run(&o, folder, "\"$RMIL_SOURCE\"/tools/setup --chek");
    command_expect(&o, 2, "usage: tools/setup [--check|--tests|--fuzz|--deb]");
}

static void test_release(void) {
    g_autofree char *folder = test_folder(), *git = g_find_program_in_path("git");
    g_auto(Outcome) o = {0};
    if (!git) {
        g_test_skip("there is no git, of whose tree a release is made");
        return;
    }
    fake(folder, "meson",
         "echo \"$1\" >>called; [ $1 = dist ] || exit 0\n"
         "mkdir -p build-release/meson-dist; echo x >build-release/meson-dist/rankmil-0.2.0.tar.xz");
    run(&o, folder,
        "mkdir tree tree/tools && cp \"$RMIL_SOURCE\"/tools/release tree/tools && cd tree && git init -q . && echo '/build*' >.gitignore");
    command_expect(&o, 0, "");
    g_autofree char *tree = g_build_filename(folder, "tree", NULL),
                    *build = test_file(tree, "meson.build", "project('rankmil', 'c',\n  version: '0.1.9',\n)\n"),
                    *changes = test_file(tree, "CHANGELOG.md", "## [Unreleased]\n\n- A line\n\n## [0.1.0] - 2026-11-25\n"),
                    *citation = test_file(tree, "CITATION.cff", "cff-version: 1.2.0\nversion: 0.1.0\n");
    run(&o, folder, "tree/tools/release 0.2");
    command_expect(&o, 2, "usage: tools/release VERSION");
    run(&o, folder, "tree/tools/release 0.2.0");
    command_expect(&o, 1, "?? CHANGELOG.md\n");
    command_expect(&o, 1, "meson.build: version is '0.1.9', not '0.2.0'\n");
    command_expect(&o, 1, "CITATION.cff: version is '0.1.0', not '0.2.0'\n");
    command_expect(&o, 1, "there is no line '## [0.2.0] - YYYY-MM-DD'");
    command_expect(&o, 1, "something stands under Unreleased");
    command_expect(&o, 1, "release: 5 of these are to be mended first; nothing was built\n");
    g_assert_false(test_exists(tree, "called"));

    g_autofree char *build2 = test_file(tree, "meson.build", "project('rankmil', 'c',\n  version: '0.2.0',\n)\n"),
                    *changes2 = test_file(tree, "CHANGELOG.md", "## [Unreleased]\n\n## [0.2.0] - 2026-12-01\n\n- A line\n"),
                    *citation2 = test_file(tree, "CITATION.cff", "version: 0.2.0\ndate-released: 2026-12-02\n");
    run(&o, folder, "cd tree; git add -A; git -c user.name=a -c user.email=a commit -qm a; tools/release 0.2.0");
    command_expect(&o, 1, "date-released is '2026-12-02', CHANGELOG.md says 2026-12-01\nrelease: 1 of");
    run(&o, folder, "cd tree; sed -i s/12-02/12-01/ CITATION.cff; git -c user.name=a -c user.email=a commit -qam b; tools/release 0.2.0");
    command_expect(&o, 0, "");
    g_assert_nonnull(strstr(o.out, "git push origin v0.2.0"));
    g_assert_true(test_exists(tree, "build-release/meson-dist/SHA256SUMS"));
    run(&o, folder, "cd tree; git tag v0.2.0; tools/release 0.2.0");
    command_expect(&o, 1, "there is a tag v0.2.0 already");
}

int main(int argc, char **argv) {
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tools/setup", test_setup);
    g_test_add_func("/tools/release", test_release);
    return g_test_run();
}
