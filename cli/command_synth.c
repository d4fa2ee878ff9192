/* rankmil synth DIR */
#include "cli.h"

int command_synth(int argc, char **argv) {
    static const CliUsage usage = {"DIR", "Makes a small cohort of H&E-like slides whose truth is known.",
                                   "Writes DIR/cohort.csv, DIR/slides/*.tiff and DIR/annotations/*.xml. The same options give the same\n"
                                   "bytes. The slides are drawn, not photographed: for demos, tests and teaching only.", 1, 1};
    Cli cli;
    int status;
    RmilSynthOptions options;
    rmil_synth_options_init(&options);
    const GOptionEntry own[] = {
        {"slides", 0, 0, G_OPTION_ARG_INT64, &options.slides, "how many (default: 40)", "N"},
        {"width", 0, 0, G_OPTION_ARG_INT64, &options.width, "level-0 pixels of a typical slide", "PX"},
        {"height", 0, 0, G_OPTION_ARG_INT64, &options.height, "level-0 pixels of a typical slide", "PX"},
        {"mpp", 0, 0, G_OPTION_ARG_DOUBLE, &options.mpp, "µm per pixel (default: 0.5)", "X"},
        {"positive", 0, 0, G_OPTION_ARG_DOUBLE, &options.positive, "share of slides with a lesion", "X"},
        {"test", 0, 0, G_OPTION_ARG_DOUBLE, &options.test, "share of slides in the test set", "X"},
        {0},
    };
    const GOptionEntry *groups[] = {own, NULL};
    if (!cli_begin(&cli, &argc, &argv, &usage, groups, &status)) return status;
    GError *error = NULL;
    options.seed = (uint64_t)cli.seed;
    options.threads = cli.threads;
    if (!rmil_synth_write(argv[1], &options, &cli.monitor, &error)) return cli_fail(&cli, error);
    json_object_set_int_member(cli.result, "slides", options.slides);
    cli_say(&cli, "%s/cohort.csv: %" G_GINT64_FORMAT " slides", argv[1], options.slides);
    return cli_done(&cli);
}
