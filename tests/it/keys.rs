//! Clients with keys: who gets in, what leaves, whose items they see, how often.

use foreword::keys::{KeyRing, NewKey, Refusal, entry, read_keys};

use crate::support::client::{Answer, exchange, get, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";

/// A site with two brands and a key for each of these (name, brands, requests a minute).
fn site(keys: &[(&str, &[&str], Option<u32>)]) -> (Site, Vec<String>) {
    let site = Site::new();
    site.write("knowledge/other/brand.toml", "name = \"Other Anvils\"\n");
    site.write(
        "knowledge/other/a.md",
        "# Lightest anvil to carry\n\nThe Other anvil is the lightest to carry.\n",
    );
    let mut file = String::new();
    let mut made = Vec::new();
    for (name, brands, rate) in keys {
        let key = NewKey::generate().unwrap();
        let brands: Vec<String> = brands.iter().map(|&brand| brand.to_owned()).collect();
        file.push_str(&entry(&key, name, &brands, *rate));
        made.push(key.key);
    }
    site.write("keys.toml", &file);
    (site, made)
}

async fn proxy(site: Site, upstream: &Upstream) -> Proxy {
    let keys = site.path("keys.toml").to_string_lossy().into_owned();
    let config =
        [("server.keys", &*keys), ("knowledge.default_brands", "acme"), ("knowledge.brand_header", "true")];
    Proxy::of(site, &upstream.url(), &config).await
}

async fn ask(proxy: &Proxy, headers: &str) -> Answer {
    exchange(proxy.address, &post_with(CHAT, headers, BODY)).await
}

#[test]
fn a_key_opens_the_door_and_goes_no_further() {
    run(async {
        let (site, keys) = site(&[("bot", &[], None)]);
        let upstream = Upstream::answering("{}").await;
        let proxy = proxy(site, &upstream).await;
        let key = &keys[0];
        for headers in [
            format!("authorization: Bearer {key}\r\n"),
            format!("Authorization: bearer {key}\r\n"),
            format!("api-key: {key}\r\n"),
            format!("x-api-key: {key}\r\n"),
            format!("x-foreword-key: {key}\r\nauthorization: Bearer sk-upstream\r\n"),
            format!("authorization: Bearer {key}\r\nx-api-key: {key}\r\napi-key: {key}\r\n"),
        ] {
            let answer = ask(&proxy, &headers).await;
            assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"), "{headers}");
            let received = upstream.last();
            assert!(!String::from_utf8_lossy(&received.body).contains(key));
            for name in ["authorization", "api-key", "x-api-key", "x-foreword-key"] {
                let value = received.header(name);
                let own = headers.contains("sk-upstream") && name == "authorization";
                assert_eq!(value.as_deref(), own.then_some("Bearer sk-upstream"), "{headers} {name}");
            }
        }
        let count = upstream.received().len();
        let other = NewKey::generate().unwrap().key;
        let wrong_secret = format!("{}{}", &key[..key.len() - 1], if key.ends_with('0') { '1' } else { '0' });
        for headers in [
            String::new(),
            "authorization: Bearer sk-upstream\r\n".to_owned(),
            "authorization: Basic Zm9vOmJhcg==\r\n".to_owned(),
            format!("authorization: Bearer {other}\r\n"),
            format!("authorization: Bearer {wrong_secret}\r\n"),
            "authorization: Bearer fw-\r\n".to_owned(),
        ] {
            let answer = ask(&proxy, &headers).await;
            assert_eq!(answer.status, 401, "{headers}");
            assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
            assert!(answer.text().contains("\"code\":\"invalid_api_key\""), "{}", answer.text());
            assert!(!answer.text().contains("fw-"), "{}", answer.text());
        }
        // What it does is said to everybody.
        assert_eq!(exchange(proxy.address, &get("/.well-known/foreword.json")).await.status, 200);
        // Every other path, not only chat.
        assert_eq!(exchange(proxy.address, &get("/v1/models")).await.status, 401);
        assert_eq!(upstream.received().len(), count);
    });
}

#[test]
fn a_key_sees_the_items_of_its_brands_alone() {
    run(async {
        let (site, keys) =
            site(&[("a", &["acme"], None), ("o", &["other"], None), ("both", &["acme", "other"], None)]);
        let upstream = Upstream::answering("{}").await;
        let proxy = proxy(site, &upstream).await;
        let (acme, other) = ("FeatherAnvil", "The Other anvil");
        for (key, path, told, not_told) in [
            (0, CHAT.to_owned(), vec![acme], vec![other]),
            (1, CHAT.to_owned(), vec![other], vec![acme]),
            (1, format!("/b/other{CHAT}"), vec![other], vec![acme]),
            (2, CHAT.to_owned(), vec![acme, other], vec![]),
            (2, format!("/b/acme{CHAT}"), vec![acme], vec![other]),
            // Another's brand, and one that is not there, by path.
            (0, format!("/b/other{CHAT}"), vec![], vec![acme, other]),
            (0, format!("/b/nobody{CHAT}"), vec![], vec![acme, other]),
        ] {
            let header = format!("authorization: Bearer {}\r\n", keys[key]);
            let answer = exchange(proxy.address, &post_with(&path, &header, BODY)).await;
            let decision = if told.is_empty() { "unknown_brand" } else { "injected" };
            assert_eq!((answer.status, answer.decision().as_str()), (200, decision), "{key} {path}");
            let body = String::from_utf8_lossy(&upstream.last().body).into_owned();
            assert!(told.iter().all(|text| body.contains(text)), "{key} {path} {body}");
            assert!(not_told.iter().all(|text| !body.contains(text)), "{key} {path} {body}");
        }
        // By header the same: what belongs to another is as what is not there.
        let by_header =
            |brand: &str| format!("authorization: Bearer {}\r\nx-foreword-brand: {brand}\r\n", keys[0]);
        let others = ask(&proxy, &by_header("other")).await;
        let nobodys = ask(&proxy, &by_header("nobody")).await;
        assert_eq!((others.decision(), others.text()), (nobodys.decision(), nobodys.text()));
        assert_eq!(others.decision(), "unknown_brand");
    });
}

#[test]
fn a_rate_is_kept_and_says_when_to_come_again() {
    run(async {
        let (site, keys) = site(&[("slow", &[], Some(3)), ("fast", &[], None)]);
        let upstream = Upstream::answering("{}").await;
        let proxy = proxy(site, &upstream).await;
        let slow = format!("authorization: Bearer {}\r\n", keys[0]);
        for _ in 0..3 {
            assert_eq!(ask(&proxy, &slow).await.status, 200);
        }
        let refused = ask(&proxy, &slow).await;
        assert_eq!(refused.status, 429);
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=21).contains(&wait), "{wait}");
        assert!(refused.text().contains("rate_limit_exceeded"));
        // Others are not held up.
        let fast = format!("authorization: Bearer {}\r\n", keys[1]);
        for _ in 0..20 {
            assert_eq!(ask(&proxy, &fast).await.status, 200);
        }
    });
}

#[test]
fn a_file_of_keys_is_read_or_says_what_is_wrong() {
    let (site, keys) = site(&[("a", &[], None)]);
    let file = site.path("keys.toml");
    let ring: KeyRing = read_keys(&file).unwrap();
    assert_eq!((ring.len(), ring.admit(&keys[0]).unwrap().name.as_str()), (1, "a"));
    assert_eq!(ring.admit("fw-nothing").unwrap_err(), Refusal::Unknown);
    // Neither the ring nor a client shows a hash.
    let shown = format!("{ring:?} {:?}", ring.admit(&keys[0]).unwrap());
    assert!(!shown.contains("blake3") && shown.contains("\"a\""), "{shown}");
    let good = std::fs::read_to_string(&file).unwrap();
    for (text, said) in [
        ("", "there is no key"),
        ("[[keys]]\nname = \"x\"\n", "no id"),
        ("[[keys]]\nid = \"x\"\nhash = \"md5:1\"\n", "blake3:salt:hash"),
        ("[[keys]]\nid = \"x\"\nhsh = \"y\"\n", "hsh"),
        ("[[keys]\n", "keys.toml"),
        (&format!("{good}{good}"), "same id"),
    ] {
        site.write("keys.toml", text);
        let problems = read_keys(&file).unwrap_err();
        let shown: String = problems.iter().map(|problem| problem.render(false)).collect();
        assert!(shown.contains(said), "{said} in {shown}");
    }
    assert!(read_keys(&site.path("absent.toml")).is_err());
}

#[test]
fn a_file_of_keys_that_says_less_than_it_seems_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (site, _) = site(&[("bot", &["acme"], Some(3))]);
    let file = site.path("keys.toml");
    let sound = std::fs::read_to_string(&file).unwrap();
    assert!(read_keys(&file).is_ok());
    for (was, is, said) in [
        ("brands = ", "brand = ", "there is no key `brand`"),
        ("requests_per_minute", "requests_per_min", "there is no key `requests_per_min`"),
        ("[\"acme\"]", "[]", "the key is for no brand"),
    ] {
        std::fs::write(&file, sound.replace(was, is)).unwrap();
        let problems = read_keys(&file).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.message.contains(said)), "{said}: {problems:?}");
        assert!(
            problems.iter().all(|problem| problem.place.is_some() && problem.hint.is_some()),
            "{problems:?}"
        );
    }
    std::fs::write(&file, &sound).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert!(format!("{:?}", read_keys(&file).err()).contains("chmod 600"));
}
