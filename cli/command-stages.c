/* rankmil tile|encode|label COHORT -o DIR: the stages one by one; each runs what it needs before itself. */
#include "work.h"

static int run_stages(int argc, char **argv, const CliUsage *usage, gboolean encode, gboolean label) {
    Cli cli;
    Work work;
    int status;
    work_init(&work, &cli);
    g_autofree GOptionEntry *output = work_output_entries(&work), *tiles = work_tile_entries(&work), *encoding = work_encode_entries(&work),
                            *labels = work_label_entries(&work);
    CliGroup groups[] = {{"Output", output},
                         {"Tiles", tiles},
                         {encode ? "Features" : "Annotations", encode ? encoding : labels},
                         {NULL, NULL}};
    if (!encode && !label) groups[2].entries = NULL;
    if (!cli_begin(&cli, &argc, &argv, usage, groups, &status)) {
        work_clear(&work);
        return status;
    }
    GError *error = NULL;
    gboolean done = work_open_table(&work, argv[1], &error) && work_lock(&work, &error) && stage_tile(&work, &error) &&
                    (!encode || stage_encode(&work, &error)) && (!label || stage_label(&work, &error)) &&
                    ((!encode && !label) || work_write_cohort(&work, &error));
    if (work.stages) json_object_set_object_member(cli.result, "stages", json_object_ref(work.stages));
    work_clear(&work);
    return done ? cli_done(&cli) : cli_fail(&cli, error);
}

int command_tile(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Finds the tissue of every slide and lays the tile grid.",
                                   "Writes DIR/tiles/ID.h5 (coordinates) and DIR/masks/ID.png (a picture to look at).",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "tile cohort.csv -o work\ntile cohort.csv -o work --tile-mpp 1"};
    return run_stages(argc, argv, &usage, FALSE, FALSE);
}

int command_encode(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Turns the tiles of every slide into features.",
                                   "Tiles first where that is not done. Writes DIR/features/ID.h5 and DIR/cohort.csv, which\n"
                                   "'rankmil train' takes.",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "encode cohort.csv -o work --encoder resnet50 --weights resnet50.safetensors"};
    return run_stages(argc, argv, &usage, TRUE, FALSE);
}

int command_label(int argc, char **argv) {
    static const CliUsage usage = {"COHORT -o DIR",
                                   "Marks the patches that lie in annotations.",
                                   "Tiles first where that is not done. Writes DIR/labels/ID.h5, with --preview also DIR/labels/ID.png.",
                                   1,
                                   1,
                                   CLI_THREADS | CLI_RESUMES,
                                   "label cohort.csv -o work --lesion Tumor --preview"};
    return run_stages(argc, argv, &usage, FALSE, TRUE);
}
