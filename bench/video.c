/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames through the video model: JPEGs one behind the other on standard input, a CSV row for each
 * on standard output, with the plain mean difference to the frame before beside it; CPU time a
 * frame on standard error. usage: bench_video FPS
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "model/jpeg.h"
#include "model/video_encoder.h"

/* Mean difference of luma to the raster before, grey levels. */
static double difference(const struct raster *a, const struct raster *b)
{
    double sum = 0;
    for (size_t i = 0; i < RASTER_SIZE; i++)
        sum += fabs((double)(a->planes[RASTER_Y][i] - b->planes[RASTER_Y][i]));
    return sum / RASTER_SIZE;
}

int main(int argc, char **argv)
{
    static struct raster rasters[2];
    struct buf in = {0};
    struct encoder *e;
    struct jpeg_reader *plain;
    double fps = argc > 1 ? atof(argv[1]) : 0, model = 0, decode = 0;
    if (!(fps > 0) || read_input(&in) || encoder_new(KIND_VIDEO, &e) || jpeg_reader_new(&plain)) {
        fprintf(stderr, "usage: bench_video FPS < FRAMES.mjpeg\n");
        return 2;
    }
    printf("frame,bits,score,shift,tokens,motion,difference,why\n");
    struct slice jpeg;
    size_t at = 0;
    uint64_t n = 0;
    for (; (jpeg = next_jpeg(&in, &at)).size > 0; n++) {
        struct record r = {
            .seq = n + 1, .time = (int64_t)((double)n / fps * US_PER_SECOND), .media = jpeg};
        struct observation o;
        double before = cpu_seconds() * 1e3;
        if (encoder_observe(e, &r, &o))
            return 1;
        double between = cpu_seconds() * 1e3;
        bool read = jpeg_read(plain, jpeg, &rasters[n % 2], NULL) == 0;
        decode += cpu_seconds() * 1e3 - between;
        model += between - before;
        printf("%llu,%.3f,%.3f,%u,%.0f,%.4f,%.3f,\"%s\"\n", (unsigned long long)n, o.bits, o.score,
               o.shift, (double)o.traits[VIDEO_TOKENS], (double)o.traits[VIDEO_MOTION],
               read && n ? difference(&rasters[0], &rasters[1]) : 0, o.why);
    }
    fprintf(stderr, "%llu frames, %.3f ms each, %.3f ms of it decoding\n", (unsigned long long)n,
            model / (double)n, decode / (double)n);
    encoder_free(e);
    jpeg_reader_free(plain);
    buf_deinit(&in);
    return 0;
}
