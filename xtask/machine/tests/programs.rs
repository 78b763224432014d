//! Small programs whose results are known.

use toolrl_machine::{Launch, MachineError, Module};

/// Runs the kernel `k` of one parameter, an address, with one block of so many lanes; gives what the memory holds then.
fn run(body: &str, lanes: u32, memory: &[u32]) -> Result<Vec<u32>, MachineError> {
    let text = format!(
        ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 k_param_0)\n{{\n\
         .reg .pred %p<8>; .reg .b32 %r<64>; .reg .f32 %f<64>; .reg .b64 %rd<16>; .shared .align 16 .b8 tile[1024];\n\
         ld.param.u64 %rd1, [k_param_0]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; add.s64 %rd3, %rd1, %rd2;\n\
         {body}\nret;\n}}\n"
    );
    let module = Module::parse(&text)?;
    let kernel = module.kernel("k")?;
    let mut memory = memory.to_vec();
    let parameters = (memory.as_mut_ptr() as u64).to_le_bytes();
    let launch =
        Launch { kernel: &kernel, grid: [1; 3], block: [lanes, 1, 1], shared: 0, parameters: &parameters };
    // SAFETY: every program here keeps to the memory that it is given.
    unsafe { launch.run()? };
    Ok(memory)
}

#[test]
fn lanes_part_and_come_together() {
    // Lane i adds up 0 + 1 + .. + (i - 1) in a loop of its own length; then all take their neighbour's sum.
    let body = "mov.u32 %r2, 0; mov.u32 %r3, 0;\n\
        $L: setp.ge.u32 %p1, %r3, %r1; @%p1 bra $D; add.s32 %r2, %r2, %r3; add.s32 %r3, %r3, 1; bra.uni $L;\n\
        $D: shfl.sync.bfly.b32 %r4|%p2, %r2, 1, 31, -1; st.global.u32 [%rd3], %r4;";
    let sums: Vec<u32> = (0..32u32).map(|lane| (0..lane ^ 1).sum()).collect();
    assert_eq!(run(body, 32, &[0; 32]).unwrap(), sums);
}

#[test]
fn a_barrier_is_for_the_block() {
    let body = "mov.u32 %r2, tile; shl.b32 %r3, %r1, 2; add.s32 %r4, %r2, %r3; st.shared.u32 [%r4], %r1;\n\
        bar.sync 0; xor.b32 %r5, %r1, 63; shl.b32 %r5, %r5, 2; add.s32 %r5, %r2, %r5; ld.shared.u32 %r6, [%r5];\n\
        st.global.u32 [%rd3], %r6;";
    assert_eq!(run(body, 64, &[0; 64]).unwrap(), (0..64).rev().collect::<Vec<_>>());
}

#[test]
fn a_copy_is_there_when_it_was_waited_for() {
    let copy = "mov.u32 %r2, tile; shl.b32 %r3, %r1, 2; add.s32 %r4, %r2, %r3; st.shared.u32 [%r4], 7;\n\
        cp.async.ca.shared.global [%r4], [%rd3], 4; cp.async.commit_group;";
    let read = "ld.shared.u32 %r6, [%r4]; st.global.u32 [%rd3], %r6;";
    let memory: Vec<u32> = (100..132).collect();
    assert_eq!(run(&format!("{copy} {read}"), 32, &memory).unwrap(), [7; 32]);
    let waited = format!("{copy} cp.async.wait_group 0; {read}");
    assert_eq!(run(&waited, 32, &memory).unwrap(), memory);
}

#[test]
fn a_product_of_tensor_cores() {
    // Ones (bf16) times ones, 16 terms, and 0.5.
    let body = "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1, %f2, %f3, %f4}, \
        {0x3F803F80, 0x3F803F80, 0x3F803F80, 0x3F803F80}, {0x3F803F80, 0x3F803F80}, \
        {0f3F000000, 0f3F000000, 0f3F000000, 0f3F000000}; add.f32 %f1, %f1, %f4; st.global.f32 [%rd3], %f1;";
    assert_eq!(run(body, 32, &[0; 32]).unwrap(), [33f32.to_bits(); 32]);
}

#[test]
fn rounding_and_conversions() {
    let of = |body: &str, x: f32| {
        let body = format!("ld.global.f32 %f1, [%rd3]; {body}");
        run(&body, 1, &[x.to_bits()]).unwrap()[0]
    };
    assert_eq!(of("cvt.rzi.s32.f32 %r2, %f1; st.global.u32 [%rd3], %r2;", -2.7) as i32, -2);
    assert_eq!(of("cvt.rzi.u32.f32 %r2, %f1; st.global.u32 [%rd3], %r2;", -2.7), 0);
    assert_eq!(f32::from_bits(of("cvt.rmi.f32.f32 %f2, %f1; st.global.f32 [%rd3], %f2;", -2.5)), -3.0);
    // 1 + 2^-30 lies between two floats: the nearest is 1, that below 1 as well; 1 - 2^-30 has 1 - 2^-24 below.
    let down = "fma.rm.f32 %f2, %f1, 0f30800000, 0f3F800000; st.global.f32 [%rd3], %f2;";
    assert_eq!(f32::from_bits(of(down, 1.0)), 1.0);
    assert_eq!(f32::from_bits(of(down, -1.0)), 1.0 - f32::EPSILON / 2.0);
}

#[test]
fn what_is_wrong_is_named() {
    let error = |body: &str| run(body, 32, &[0; 32]).unwrap_err().to_string();
    assert!(error("tex.2d.v4.f32 %f1, [%rd3];").contains("tex.2d.v4.f32"));
    assert!(error("mov.u32 %r2, nothing;").contains("nothing"));
    assert!(error("ld.shared.u32 %r2, [tile+1024];").contains("1024 bytes"));
    assert!(error("ld.global.v2.u32 {%r2, %r3}, [%rd3];").contains("no multiple of 8"));
    // One lane waits for all, the others for the block.
    let stuck = "setp.eq.u32 %p1, %r1, 0; @%p1 bra $A; bar.sync 0; bra.uni $D; $A: bar.warp.sync -1; $D:";
    assert!(error(stuck).contains("bar.warp.sync"));
}
