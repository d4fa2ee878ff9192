/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the built command as a user would, or the one that RMIL_COMMAND names. */
#ifndef RMIL_TEST_COMMAND_H
#define RMIL_TEST_COMMAND_H

#include "support.h"

typedef struct {
    int status;
    char *out, *err;
} Outcome;

/* rankmil ARGUMENTS… (NULL-terminated), in folder `where`. Frees what *outcome held before. */
void command_run(Outcome *outcome, const char *where, ...) G_GNUC_NULL_TERMINATED;
/* The same by `sh -c`, with $RANKMIL set to the command. */
void command_shell(Outcome *outcome, const char *where, const char *script);
void command_clear(Outcome *outcome);
/* Fails the test, with all output, unless the status is as expected and stderr contains `part`. */
void command_expect(const Outcome *outcome, int status, const char *part);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Outcome, command_clear)

#endif
