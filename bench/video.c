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
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "model/jpeg.h"
#include "model/video_encoder.h"

static double cpu_ms(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static int read_all(struct buf *in)
{
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof(part), stdin)) > 0)
        buf_append(in, part, n);
    return buf_failed(in) ? ERR_NOMEM : 0;
}

/* The next JPEG of the row, from its end marker on; size 0 at the end. */
static struct slice next_jpeg(const struct buf *in, size_t *at)
{
    size_t from = *at, end = from;
    while (end + 1 < in->size &&
           !((uint8_t)in->data[end] == 0xff && (uint8_t)in->data[end + 1] == 0xd9))
        end++;
    *at = end + 2;
    return (struct slice){in->data + from, end + 1 < in->size ? end + 2 - from : 0};
}

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
    if (!(fps > 0) || read_all(&in) || encoder_new(KIND_VIDEO, &e) || jpeg_reader_new(&plain)) {
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
        double before = cpu_ms();
        if (encoder_observe(e, &r, &o))
            return 1;
        double between = cpu_ms();
        bool read = jpeg_read(plain, jpeg, &rasters[n % 2], NULL) == 0;
        decode += cpu_ms() - between;
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
