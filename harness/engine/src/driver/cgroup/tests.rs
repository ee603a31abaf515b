//! Both versions on trees as the kernel's documentation gives them (`admin-guide/cgroup-v1/memory`, `admin-guide/cgroup-v2`, `accounting/psi`).

use super::*;

pub(super) fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = std::env::temp_dir().join(format!("soak-cgroup-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn value(values: &Values, name: &str) -> Option<f64> {
    values.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
}

#[test]
fn version_2() {
    let root = tree(
        "v2",
        &[
            ("docker/abc/memory.current", "104857600\n"),
            ("docker/abc/memory.max", "268435456\n"),
            (
                "docker/abc/memory.stat",
                "anon 52428800\nfile 41943040\nkernel 6291456\nkernel_stack 98304\nshmem 1048576\nfile_mapped 8388608\ninactive_file 20971520\n",
            ),
            ("docker/abc/memory.events", "low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\noom_group_kill 0\n"),
            (
                "docker/abc/memory.pressure",
                "some avg10=0.00 avg60=0.12 avg300=0.04 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=900000\n",
            ),
            (
                "docker/abc/cpu.stat",
                "usage_usec 5000\nuser_usec 3000\nnr_periods 9\nnr_throttled 3\nthrottled_usec 250000\n",
            ),
        ],
    );
    let group = Group::of_paths("0::/docker/abc\n", &root).unwrap();
    let values = group.values();
    for (name, expected) in [
        ("cgroup_usage_bytes", 104_857_600.0),
        ("cgroup_limit_bytes", 268_435_456.0),
        ("cgroup_anon_bytes", 52_428_800.0),
        ("cgroup_file_bytes", 40_894_464.0),
        ("cgroup_shmem_bytes", 1_048_576.0),
        ("cgroup_mapped_bytes", 8_388_608.0),
        ("cgroup_kernel_bytes", 6_291_456.0),
        ("cgroup_working_set_bytes", 83_886_080.0),
        ("cgroup_limit_hits_total", 17.0),
        ("cgroup_oom_kills_total", 1.0),
        ("cgroup_throttled_seconds_total", 0.25),
        ("memory_pressure_seconds_total", 1.5),
    ] {
        assert_eq!(value(&values, name), Some(expected), "{name}");
    }
    fs::write(root.join("docker/abc/memory.max"), "max\n").unwrap();
    assert_eq!(value(&group.values(), "cgroup_limit_bytes"), None, "no limit is no number");
    assert!(group.effective_limit().0.unwrap() >= NO_LIMIT_BYTES, "but it can be attested");
    // Before 5.18 there is no `kernel` line.
    fs::write(
        root.join("docker/abc/memory.stat"),
        "anon 1\nfile 3\nshmem 1\nkernel_stack 100\nslab 50\nslab_reclaimable 7\n",
    )
    .unwrap();
    assert_eq!(value(&group.values(), "cgroup_kernel_bytes"), Some(150.0));
    fs::remove_dir_all(&root).unwrap();
    assert!(group.values().is_empty(), "what is gone tells nothing");
}

#[test]
fn version_1() {
    let root = tree(
        "v1",
        &[
            ("memory/docker/abc/memory.usage_in_bytes", "104857600\n"),
            ("memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n"),
            (
                "memory/docker/abc/memory.stat",
                "cache 1\nrss 2\nshmem 0\ntotal_cache 41943040\ntotal_rss 52428800\ntotal_shmem 1048576\ntotal_mapped_file 8388608\ntotal_inactive_file 20971520\n",
            ),
            ("memory/docker/abc/memory.kmem.usage_in_bytes", "6291456\n"),
            ("memory/docker/abc/memory.failcnt", "4\n"),
            ("memory/docker/abc/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
            ("cpu/docker/abc/cpu.stat", "nr_periods 9\nnr_throttled 3\nthrottled_time 250000000\n"),
        ],
    );
    let lines = "9:name=systemd:/\n4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n";
    let group = Group::of_paths(lines, &root).unwrap();
    let values = group.values();
    for (name, expected) in [
        ("cgroup_usage_bytes", Some(104_857_600.0)),
        ("cgroup_limit_bytes", None),
        ("cgroup_anon_bytes", Some(52_428_800.0)),
        ("cgroup_file_bytes", Some(40_894_464.0)),
        ("cgroup_working_set_bytes", Some(83_886_080.0)),
        ("cgroup_kernel_bytes", Some(6_291_456.0)),
        ("cgroup_limit_hits_total", Some(4.0)),
        ("cgroup_oom_kills_total", Some(3.0)),
        ("cgroup_throttled_seconds_total", Some(0.25)),
    ] {
        assert_eq!(value(&values, name), expected, "{name}");
    }
    fs::remove_dir_all(&root).unwrap();
}

#[test]
fn a_name_is_as_the_kernel_prints_it() {
    let group = Group::of_paths("4:memory:/docker/abc\n", Path::new(ROOT)).unwrap();
    assert_eq!(group.name(), "/docker/abc");
    assert_eq!(
        Group::V2("/sys/fs/cgroup/system.slice/docker-abc.scope".into()).name(),
        "/system.slice/docker-abc.scope"
    );
}
