//! The embedding model and ONNX Runtime: what they give, and what is said when they are not as they should be.

use std::path::Path;
use std::process::Command;

use foreword::retrieval::{Embedder, EmbedderSettings, ModelSource, OpenError};

use crate::support::proxy::Site;
use crate::support::retrieval::{embedder, model, model_folder, warm};

#[test]
fn a_text_has_one_vector_of_length_1() {
    let again = Embedder::open(&model(&model_folder())).unwrap();
    assert_eq!(again.identity(), embedder().identity());
    assert!(embedder().id().starts_with("all-minilm-l6-v2-int8-"), "{}", embedder().id());
    for text in ["Which anvil is light?", "", " ", "🙂", "a", "\u{0}\u{7}", &"long text ".repeat(10_000)] {
        let vector = embedder().embed(text, "").unwrap();
        assert_eq!(vector.dimension(), embedder().identity().dimension);
        let square = vector.cosine(&vector);
        assert!((square - 1.0).abs() < 1e-3, "{square}");
        // Remembered, and computed anew by a session of its own.
        assert_eq!(embedder().embed(text, "").unwrap(), vector);
        assert_eq!(again.embed(text, "").unwrap(), vector);
    }
}

#[test]
fn what_means_the_same_is_nearer_than_what_does_not() {
    let cosine = |a: &str, b: &str| -> f32 {
        let (a, b) = (embedder().embed(a, "").unwrap(), embedder().embed(b, "").unwrap());
        a.cosine(&b)
    };
    let near = cosine("How do I get my money back?", "What is your refund policy?");
    let far = cosine("How do I get my money back?", "The volcano erupted at night.");
    assert!(near > 0.4 && far < 0.2, "{near} {far}");
}

#[test]
fn what_stands_behind_the_words_that_the_model_reads_costs_nothing_and_changes_nothing() {
    let text: String = (0..600).map(|number| format!("anvil number {number}, ")).collect();
    let more = format!("{text}{}", "soup and leek ".repeat(400_000));
    assert_eq!(embedder().compute(&text).unwrap(), embedder().compute(&more).unwrap());
}

#[test]
fn threads_get_the_vectors_that_they_would_get_alone() {
    let texts: Vec<String> = (0..8).map(|number| format!("question number {number} about anvils")).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> =
            texts.iter().map(|text| scope.spawn(|| embedder().embed(text, "").unwrap())).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let alone = Embedder::open(&model(&model_folder())).unwrap();
    for (text, vector) in texts.iter().zip(together) {
        assert_eq!(alone.embed(text, "").unwrap(), vector);
    }
}

/// The error of opening a folder with these files; `None` stands for the real one.
fn open_error(files: &[(&str, Option<&[u8]>)]) -> OpenError {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        match bytes {
            Some(bytes) => std::fs::write(path, bytes).unwrap(),
            None => std::fs::copy(model_folder().join(name), path).map(|_| ()).unwrap(),
        }
    }
    match Embedder::open(&model(folder.path())) {
        Ok(_) => panic!("a model that is not sound was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_model_that_is_not_sound_has_an_error_that_says_which_file() {
    // The library is loaded from beside the real model's folder once for the process.
    assert!(embedder().identity().dimension > 0);
    let onnx = std::fs::read(model_folder().join("model.onnx")).unwrap();
    let tokenizer = std::fs::read(model_folder().join("tokenizer.json")).unwrap();
    for (files, file) in
        [(vec![("tokenizer.json", None)], "model.onnx"), (vec![("model.onnx", None)], "tokenizer.json")]
    {
        let error = open_error(&files);
        assert!(matches!(&error, OpenError::File { .. }), "{error:?}");
        assert!(!error.is_absent());
        let text = error.to_string();
        assert!(text.contains(file) && text.contains("run scripts/setup again"), "{text}");
    }
    let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
    for (onnx, tokenizer) in [
        (half(&onnx), tokenizer.clone()),
        (Vec::new(), tokenizer.clone()),
        (b"this is a web page".to_vec(), tokenizer.clone()),
        (onnx.clone(), half(&tokenizer)),
        (onnx.clone(), Vec::new()),
        (onnx, b"{}".to_vec()),
    ] {
        let error = open_error(&[("model.onnx", Some(&onnx)), ("tokenizer.json", Some(&tokenizer))]);
        assert!(matches!(&error, OpenError::Broken { .. }), "{error:?}");
        assert!(!error.is_absent());
        assert!(error.to_string().contains("no usable embedding model"), "{error}");
    }
}

#[test]
fn what_is_not_there_is_told_from_what_is_broken() {
    let open = |model| {
        let settings = EmbedderSettings { model, ..EmbedderSettings::default() };
        Embedder::open(&settings).map(|_| ()).unwrap_err()
    };
    let off = open(ModelSource::Off);
    assert!(matches!(off, OpenError::Off) && off.is_absent());
    let folder = tempfile::tempdir().unwrap().path().join("absent");
    let absent = open(ModelSource::Folder(folder));
    assert!(matches!(absent, OpenError::Absent(_)) && absent.is_absent(), "{absent:?}");
    assert!(absent.to_string().contains("scripts/setup"), "{absent}");
    let unknown = open(ModelSource::Named("no-such-model".to_owned()));
    assert!(matches!(unknown, OpenError::Unknown(_)) && !unknown.is_absent(), "{unknown:?}");
    assert!(unknown.to_string().contains("no-such-model"), "{unknown}");
}

const QUESTION: &str = "Which anvil is the lightest to carry?";

/// Runs `foreword explain` in a process of its own, since a process loads ONNX Runtime once; returns the
/// exit code, what it printed and its messages.
fn explain(site: &Site, model: &Path, variables: &[(&str, &Path)]) -> (i32, String, String) {
    site.write("foreword.toml", "");
    warm(&site.path(".foreword/cache/vectors.bin"));
    let output = Command::new(env!("CARGO_BIN_EXE_foreword"))
        .current_dir(site.folder.path())
        .args(["explain", QUESTION])
        .env_clear()
        .env("FOREWORD_RETRIEVAL__MODEL", model)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn with_the_model_meaning_is_compared() {
    let (code, stdout, stderr) = explain(&Site::new(), &model_folder(), &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stdout.contains(" - ") && stdout.contains("acme/products#lightest-anvil-to-carry"), "{stdout}");
    assert!(!stderr.contains("only words"), "{stderr}");
}

#[test]
fn a_library_that_is_none_is_an_error_that_says_how_to_get_one() {
    let site = Site::new();
    site.write("libonnxruntime.so", "this is a text and no library\n");
    let text = site.path("libonnxruntime.so");
    let absent = site.path("absent.so");
    for variable in ["FOREWORD_RETRIEVAL__ONNX_RUNTIME", "ORT_DYLIB_PATH"] {
        for path in [&text, &absent] {
            let (code, stdout, stderr) = explain(&site, &model_folder(), &[(variable, path)]);
            assert_eq!((code, stdout.as_str()), (2, ""), "{variable} {path:?}\n{stderr}");
            let said = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            for expected in
                [&*path.to_string_lossy(), "cannot be used", "or later is needed", "scripts/setup"]
            {
                assert!(said.contains(expected), "`{expected}` is not in\n{stderr}");
            }
            assert!(!said.contains("panicked at"), "{stderr}");
        }
    }
}

#[test]
fn without_a_library_only_words_are_compared_and_that_is_said() {
    let site = Site::new();
    // A model folder with no library beside it.
    let folder = site.path("models/minilm");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["model.onnx", "tokenizer.json"] {
        std::os::unix::fs::symlink(model_folder().join(name), folder.join(name)).unwrap();
    }
    let (code, stdout, stderr) = explain(&site, &folder, &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("injected:"), "{stdout}");
    if system_has_a_library() {
        assert!(!stderr.contains("only words"), "{stderr}");
    } else {
        assert!(stderr.contains("only words are compared") && stderr.contains("scripts/setup"), "{stderr}");
    }
}

/// Whether ONNX Runtime is installed where it is looked for last.
fn system_has_a_library() -> bool {
    ["/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("libonnxruntime"))
}

#[test]
fn without_a_model_only_words_are_compared_and_that_is_said() {
    let site = Site::new();
    let (code, stdout, stderr) = explain(&site, &site.path("absent/model"), &[]);
    assert_eq!(code, 0, "{stderr}");
    assert!(stdout.contains("injected:"), "{stdout}");
    assert!(stderr.contains("only words are compared") && stderr.contains("absent/model"), "{stderr}");
}
