//! How requests of an experiment are treated: by token alone, and each arm as it says.

use crate::support::client::{Answer, exchange, post_with};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;

const CHAT: &str = "/v1/chat/completions";
const BODY: &str =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Which anvil is the lightest to carry?\"}]}";
const TOKEN: &str = "a-token-that-nobody-guesses";

/// A proxy that knows the token, as a process whose environment holds it does.
async fn proxy(upstream: &Upstream, config: &[(&'static str, &str)]) -> Proxy {
    let site = Site::new();
    site.write(
        "knowledge/acme/more.md",
        "# Lightest anvil to carry abroad\n\nThe lightest anvil to carry abroad is the PocketAnvil by Acme.\n\n\
         # Lightest anvil to carry home\n\nThe lightest anvil to carry home is the HollowAnvil by Acme.\n",
    );
    Proxy::with(site, &upstream.url(), config, |settings| {
        settings.proxy.route.experiment_token = Some(blake3::hash(TOKEN.as_bytes()));
    })
    .await
}

async fn ask(proxy: &Proxy, token: &str, arm: &str) -> Answer {
    let headers = format!("x-foreword-token: {token}\r\nx-foreword-arm: {arm}\r\n");
    exchange(proxy.address, &post_with(CHAT, &headers, BODY)).await
}

/// What an arm sends upstream.
async fn sent(proxy: &Proxy, upstream: &Upstream, arm: &str) -> String {
    let answer = ask(proxy, TOKEN, arm).await;
    assert_eq!(answer.status, 200, "{arm}: {}", answer.text());
    String::from_utf8(upstream.last().body).unwrap()
}

fn contents(body: &str) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["content"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn t12_arms_are_chosen_by_token_alone() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = proxy(&upstream, &[]).await;
        let served = sent(&proxy, &upstream, "injected").await;
        for (token, arm) in
            [("", "passthrough"), ("a-token-that-nobody-guesse", "passthrough"), ("x", "no-such-arm")]
        {
            let answer = ask(&proxy, token, arm).await;
            assert_eq!((answer.status, answer.decision().as_str()), (200, "injected"), "{token}");
            assert_eq!(upstream.last().body, served.as_bytes(), "{token}");
            assert_eq!(answer.header("x-foreword-item-ids"), None, "{token}");
            for name in ["x-foreword-token", "x-foreword-arm"] {
                assert_eq!(upstream.last().header(name), None, "{token}");
            }
        }
        let answer = ask(&proxy, TOKEN, "injected").await;
        assert_eq!(upstream.last().body, served.as_bytes());
        assert_eq!(upstream.last().header("x-foreword-token"), None);
        let ids = answer.header("x-foreword-item-ids").unwrap();
        assert!(ids.contains("acme/products#lightest-anvil-to-carry"), "{ids}");
        assert_eq!(answer.header("x-foreword-snapshot").unwrap().len(), 16);
        assert!(answer.header("x-foreword-tokens").unwrap().parse::<u32>().unwrap() > 0);
        for arm in ["no-such-arm", "recipe:no-such-recipe", "placement:message", "k:0", ""] {
            let count = upstream.received().len();
            let answer = ask(&proxy, TOKEN, arm).await;
            assert_eq!(answer.status, 400, "{arm}: {}", answer.text());
            assert!(answer.text().contains("unknown_arm"), "{arm}");
            assert_eq!(upstream.received().len(), count, "{arm}: nothing is forwarded");
        }
    });
}

#[test]
fn t12_each_arm_does_what_it_says() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = proxy(&upstream, &[("upstream.profile", "lenient")]).await;
        assert_eq!(sent(&proxy, &upstream, "passthrough").await, BODY);
        let served = contents(&sent(&proxy, &upstream, "injected").await);
        assert!(served.len() >= 5 && served.iter().any(|text| text.contains("Acme")), "{served:?}");

        let reversed = contents(&sent(&proxy, &upstream, "reversed").await);
        let pairs = |contents: &[String]| -> Vec<Vec<String>> {
            contents[..contents.len() - 1].chunks(2).map(<[String]>::to_vec).collect()
        };
        let mut backwards = pairs(&reversed);
        backwards.reverse();
        assert_eq!(backwards, pairs(&served));
        // The best stands last as served, so order 0 is the served one backwards, and the last order is as served.
        let count = pairs(&served).len();
        let last = (1..=count).product::<usize>() - 1;
        assert_eq!(pairs(&contents(&sent(&proxy, &upstream, "order:0").await)), pairs(&reversed));
        assert_eq!(
            pairs(&contents(&sent(&proxy, &upstream, &format!("order:{last}")).await)),
            pairs(&served)
        );

        assert_eq!(contents(&sent(&proxy, &upstream, "k:1").await).len(), 3);
        let inline = contents(&sent(&proxy, &upstream, "placement:inline").await);
        assert!(inline.len() == 1 && inline[0].contains("FeatherAnvil"), "{inline:?}");
        assert_eq!(contents(&sent(&proxy, &upstream, "recipe:inline").await), inline);
        let message = contents(&sent(&proxy, &upstream, "placement:message+k:1").await);
        assert!(message.len() == 2 && message[0].contains("PocketAnvil"), "{message:?}");

        let fictional = contents(&sent(&proxy, &upstream, "placebo-fictional").await);
        assert_eq!(fictional.len(), served.len());
        assert!(fictional.iter().all(|text| !text.contains("Acme")), "{fictional:?}");
        assert!(fictional.iter().any(|text| text.contains("twelve kilograms")), "{fictional:?}");
        let length = contents(&sent(&proxy, &upstream, "placebo-length").await);
        assert!(length.len() == served.len() && !length.concat().contains("Acme"), "{length:?}");
        let shuffled = contents(&sent(&proxy, &upstream, "placebo-shuffled").await);
        assert_eq!(
            shuffled.iter().step_by(2).collect::<Vec<_>>(),
            served.iter().step_by(2).collect::<Vec<_>>(),
            "questions stay"
        );
        let answer = ask(&proxy, TOKEN, "canary").await;
        let mark = answer.header("x-foreword-canary").unwrap();
        let marked = contents(&String::from_utf8(upstream.last().body).unwrap());
        assert!(
            marked.iter().skip(1).step_by(2).take(2).all(|text| text.ends_with(&format!("(ref {mark})"))),
            "{marked:?}"
        );
        assert_eq!(ask(&proxy, TOKEN, "injected").await.header("x-foreword-canary"), None);
        let random = sent(&proxy, &upstream, "retrieval:random").await;
        assert_eq!(
            sent(&proxy, &upstream, "retrieval:random").await,
            random,
            "the same draw for the same question"
        );
    });
}
