/* SPDX-License-Identifier: Apache-2.0 */
/* Studies on the command line. */
#ifndef RMIL_CLI_STUDY_H
#define RMIL_CLI_STUDY_H

#include "train.h"

/* The path of this program, as it was started. Free with g_free. */
char *study_program(void);
/* FOLDER/study.slurm: a shell script that submits the stages, the shards as a job array, and the report. arguments: this command's own
 * (argv without the program); those for Slurm are left out. Submits nothing. */
gboolean study_slurm_write(const char *folder, char **arguments, int64_t shards, const char *sbatch, char **path, GError **error);

#endif
