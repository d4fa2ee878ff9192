/* SPDX-License-Identifier: Apache-2.0 */
/* rankmil tile|encode|label COHORT -o DIR: single stages; each first runs the stages that it needs. */
#include "prepare.h"

static int run_stages(int argc, char **argv, const CliUsage *usage, gboolean encode, gboolean label) {
    Cli cli;
    RmilPrepareOptions options;
    Reading reading = {0};
    int status;
    g_autofree char *folder = NULL;
    rmil_prepare_options_init(&options);
    g_autofree GOptionEntry *output = prepare_output_entries(&folder), *tiles = prepare_tile_entries(&options),
                            *encoding = prepare_encode_entries(&options), *labels = prepare_label_entries(&options),
                            *table = reading_entries(&reading, FALSE);
    CliGroup groups[] = {{"Output", output},
                         {"The table", table},
                         {"Tiles", tiles},
                         {encode ? "Features" : "Annotations", encode ? encoding : labels},
                         {NULL, NULL}};
    if (!encode && !label) groups[3].entries = NULL;
    if (cli_begin(&cli, &argc, &argv, usage, groups, &status)) {
        GError *error = NULL;
        g_autoptr(RmilWork) work = prepare_open(&cli, folder, &options, argv[1], &reading, &error);
        gboolean done = work && prepare_share(&cli, work, &error) && rmil_work_tile(work, &error) &&
                        (!encode || rmil_work_encode(work, &error)) && (!label || rmil_work_label(work, &error)) &&
                        ((!encode && !label) || rmil_work_write_cohort(work, &error));
        if (work) {
            prepare_report(&cli, work);
            json_object_set_object_member(cli.result, "stages", json_object_ref(cli.stages));
        }
        g_clear_pointer(&work, rmil_work_free);
        status = done ? cli_done(&cli) : cli_fail(&cli, error);
    }
    rmil_prepare_options_clear(&options);
    reading_clear(&reading);
    return status;
}

int command_tile(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Finds the tissue on every slide and makes the tile grid.",
                                   "Writes DIR/tiles/ID.h5 (coordinates) and DIR/masks/ID.png (a picture for checking).",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "tile cohort.csv -o work\ntile cohort.csv -o work --tile-mpp 1"};
    return run_stages(argc, argv, &usage, FALSE, FALSE);
}

int command_encode(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Turns the tiles of every slide into features.",
                                   "Tiles the slides first if needed. Writes DIR/features/ID.h5 and DIR/cohort.csv, which\n"
                                   "'rankmil train' takes.",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "encode cohort.csv -o work --encoder resnet50 --weights resnet50.safetensors"};
    return run_stages(argc, argv, &usage, TRUE, FALSE);
}

int command_label(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Labels the patches that lie inside annotations.",
                                   "Tiles the slides first if needed. Writes DIR/labels/ID.h5, with --preview also DIR/labels/ID.png.",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "label cohort.csv -o work --lesion Tumor --preview"};
    return run_stages(argc, argv, &usage, FALSE, TRUE);
}
