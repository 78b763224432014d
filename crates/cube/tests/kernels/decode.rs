//! Attention of new tokens over a cache.

use toolrl_cube::{Buffer, CubeError, DecodePlan, decode_attention};
use toolrl_layout::{CacheSpans, DecodeRoom, Heads, LayoutError};

use crate::attention::attend;
use crate::device::{assert_close, everywhere, numbers, put, wide};

/// A run of cached rows: first row and rows.
type Rows = (usize, usize);

fn spans(list: &[(Rows, Rows)]) -> Vec<CacheSpans> {
    list.iter().map(|&(prefix, own)| CacheSpans { prefix, own }).collect()
}

#[test]
fn each_sequence_sees_its_prompt_and_itself() {
    let heads = |query, kv, dim| Heads { query, kv, dim };
    let cases = [
        (heads(1, 1, 4), spans(&[((0, 0), (0, 1))])),
        (heads(4, 2, 5), spans(&[((3, 4), (0, 0)), ((3, 4), (9, 2)), ((0, 0), (1, 8))])),
        (
            heads(9, 3, 32),
            spans(&[((0, 300), (600, 7)), ((0, 300), (610, 270)), ((310, 5), (900, 1)), ((0, 300), (0, 0))]),
        ),
        (heads(12, 2, 64), (0..15).map(|i| CacheSpans { prefix: (0, 70), own: (80 + i * 10, i) }).collect()),
        (heads(2, 2, 128), spans(&[((5, 520), (0, 0)), ((0, 0), (7, 513))])),
    ];
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(13);
        for (heads, spans) in &cases {
            let rows = 1000;
            let q: Vec<f32> = numbers(&mut rng, spans.len() * heads.query * heads.dim, dtype);
            let [k, v] = [0, 1].map(|_| numbers(&mut rng, rows * heads.kv * heads.dim, dtype));
            let plan = DecodePlan::new(client, spans, *heads).unwrap();
            let found = decode_attention(
                client,
                &put(client, &q, dtype),
                &put(client, &k, dtype),
                &put(client, &v, dtype),
                &plan,
            );
            let (q, k, v) = (wide(&q), wide(&k), wide(&v));
            let mut expected = Vec::new();
            for (s, span) in spans.iter().enumerate() {
                let run = |(start, len): (usize, usize)| start..start + len;
                for head in 0..heads.query {
                    let of = |m: &'_ [f64]| -> Vec<Vec<f64>> {
                        let rows = run(span.prefix).chain(run(span.own));
                        let at = |r: usize| (r * heads.kv + head / heads.group()) * heads.dim;
                        rows.map(|r| m[at(r)..at(r) + heads.dim].to_vec()).collect()
                    };
                    let (k, v) = (of(&k), of(&v));
                    let [k, v] = [&k, &v].map(|m| m.iter().map(Vec::as_slice).collect::<Vec<_>>());
                    expected
                        .extend(attend(&q[(s * heads.query + head) * heads.dim..][..heads.dim], &k, &v).0);
                }
            }
            assert_close(&format!("{heads:?} {spans:?}"), client, &found.unwrap(), &expected, 64);
        }
    });
}

/// A sequence's result is the same to the bit alone, with others of its group, and among strangers.
#[test]
fn a_result_does_not_depend_on_the_batch() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(14);
        let heads = Heads { query: 6, kv: 2, dim: 64 };
        let width = heads.query * heads.dim;
        let all = spans(&[
            ((0, 300), (300, 10)),
            ((0, 300), (320, 5)),
            ((0, 300), (330, 40)),
            ((400, 9), (410, 280)),
        ]);
        let q = numbers(&mut rng, all.len() * width, dtype);
        let [k, v] =
            [0, 1].map(|_| put(client, &numbers(&mut rng, 700 * heads.kv * heads.dim, dtype), dtype));
        let run = |chosen: &[usize]| {
            let spans: Vec<_> = chosen.iter().map(|&i| all[i]).collect();
            let rows: Vec<f32> = chosen.iter().flat_map(|&i| &q[i * width..][..width]).copied().collect();
            let plan = DecodePlan::new(client, &spans, heads).unwrap();
            decode_attention(client, &put(client, &rows, dtype), &k, &v, &plan).unwrap().read(client).unwrap()
        };
        let together = run(&[3, 1, 0, 2]);
        for (place, i) in [3, 1, 0, 2].into_iter().enumerate() {
            assert_eq!(run(&[i]), &together[place * width..][..width], "sequence {i}");
        }
    });
}

#[test]
fn spans_outside_of_the_cache_are_refused() {
    everywhere(|client, dtype| {
        let heads = Heads { query: 1, kv: 1, dim: 4 };
        let refused =
            DecodePlan::new(client, &spans(&[((0, 1), (0, 0)), ((0, 0), (0, 0))]), heads).unwrap_err();
        assert!(matches!(refused, CubeError::Layout(LayoutError::NothingSeen(1))), "{refused}");
        let plan = DecodePlan::new(client, &spans(&[((0, 3), (3, 2))]), heads).unwrap();
        let cache = put(client, &[0.0; 16], dtype);
        let refused =
            decode_attention(client, &put(client, &[0.0; 4], dtype), &cache, &cache, &plan).unwrap_err();
        assert!(matches!(refused, CubeError::Index { value: 4, limit: 4, .. }), "{refused}");
    });
}

/// A plan that is written over from step to step gives what each step's own plan gives, and nothing to those that are
/// not there.
#[test]
fn a_plan_is_written_over() {
    everywhere(|client, dtype| {
        let mut rng = fastrand::Rng::with_seed(15);
        let heads = Heads { query: 6, kv: 2, dim: 64 };
        let width = heads.query * heads.dim;
        let room = DecodeRoom { sequences: 5, members: 3, prefix: 300, own: 270, rows: 700 };
        let steps = [
            spans(&[((0, 300), (300, 10)), ((0, 300), (320, 5)), ((400, 9), (410, 270))]),
            spans(&[((0, 300), (300, 11)), ((400, 9), (430, 255)), ((0, 0), (5, 1)), ((0, 300), (310, 0))]),
            spans(&[((690, 10), (0, 0))]),
        ];
        let q = put(client, &numbers(&mut rng, room.sequences * width, dtype), dtype);
        let [k, v] =
            [0, 1].map(|_| put(client, &numbers(&mut rng, room.rows * heads.kv * heads.dim, dtype), dtype));
        let plan = DecodePlan::with_room(client, room, heads).unwrap();
        for spans in &steps {
            plan.write(client, spans).unwrap();
            let found = decode_attention(client, &q, &k, &v, &plan).unwrap().read(client).unwrap();
            let own = DecodePlan::new(client, spans, heads).unwrap();
            let there = spans.len() * width;
            let q = Buffer::new(q.handle().clone(), there, dtype);
            let expected = decode_attention(client, &q, &k, &v, &own).unwrap().read(client).unwrap();
            assert_eq!(found[..there], expected);
            assert!(found[there..].iter().all(|&x| x == 0.0));
        }
        let refused = plan.write(client, &spans(&[((691, 10), (0, 0))])).unwrap_err();
        assert_eq!(refused.to_string(), "a step of 701 cached rows, where there is room for 700");
    });
}
