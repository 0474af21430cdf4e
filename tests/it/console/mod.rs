//! The console: who may see it, what a page may do, and what the pages say.

mod counts;
mod editing;
mod trying;

use crate::support::client::{Answer, exchange, get};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;

const ON: &[(&str, &str)] = &[("admin.console", "true")];
const PAGES: &[&str] =
    &["/console/", "/console/try", "/console/knowledge", "/console/knowledge/acme", "/console/measure"];

/// A posted form, as a browser sends it from a page of the console itself.
fn form(proxy: &Proxy, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let origin = format!("origin: http://{}\r\n", proxy.admin);
    form_with(proxy, path, &origin, fields)
}

fn form_with(proxy: &Proxy, path: &str, headers: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let encode = |text: &str| -> String { text.bytes().map(|byte| format!("%{byte:02x}")).collect() };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let body = pairs.join("&");
    format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/x-www-form-urlencoded\r\n{headers}content-length: {}\r\n\r\n{body}",
        proxy.admin,
        body.len()
    )
    .into_bytes()
}

async fn tried(proxy: &Proxy, fields: &[(&str, &str)]) -> Answer {
    exchange(proxy.admin, &form(proxy, "/console/try", fields)).await
}

#[test]
fn the_console_is_off_unless_asked_for() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::start(&upstream.url()).await;
        for path in ["/", "/console/", "/console/try", "/console/files/console.css", "/console/sign-in"] {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.text().contains("admin.console = true"), "{path}: {}", answer.text());
        }
    });
}

#[test]
fn every_page_keeps_to_itself() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        for path in PAGES {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(answer.status, 200, "{path}");
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
            assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"));
            let page = answer.text();
            for forbidden in [" style=", "<style", " onclick=", "javascript:", "//cdn", "<script>"] {
                assert!(!page.contains(forbidden), "{path} holds {forbidden}");
            }
        }
        let root = exchange(proxy.admin, &get("/")).await;
        assert_eq!((root.status, root.header("location").as_deref()), (303, Some("/console/")));
        for path in ["/console/nothing", "/console/knowledge/nobody", "/console/measure/none"] {
            assert_eq!(exchange(proxy.admin, &get(path)).await.status, 404, "{path}");
        }
        let file = exchange(proxy.admin, &get("/console/files/console.js")).await;
        let tag = file.header("etag").unwrap();
        let again = format!(
            "GET /console/files/console.js HTTP/1.1\r\nhost: localhost\r\nif-none-match: {tag}\r\n\r\n"
        );
        assert_eq!(exchange(proxy.admin, again.as_bytes()).await.status, 304);
    });
}

#[test]
fn other_pages_cannot_use_it() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), ON).await;
        let fields = [("conversation", "Which anvil is the lightest to carry?")];
        for headers in [
            "origin: https://evil.example\r\n",
            "origin: http://127.0.0.1:3000\r\n",
            "origin: null\r\n",
            "sec-fetch-site: cross-site\r\n",
        ] {
            for path in ["/console/try", "/console/try/answer", "/console/knowledge/reload"] {
                let answer = exchange(proxy.admin, &form_with(&proxy, path, headers, &fields)).await;
                assert_eq!(answer.status, 403, "{path} {headers}");
            }
        }
        assert!(upstream.received().is_empty());
    });
}

#[test]
fn with_a_token_one_signs_in() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let token = "a long random text";
        let proxy = Proxy::with(Site::new(), &upstream.url(), ON, |settings| {
            settings.admin_token = Some(blake3::hash(token.as_bytes()));
        })
        .await;
        for path in PAGES {
            let answer = exchange(proxy.admin, &get(path)).await;
            assert_eq!(
                (answer.status, answer.header("location").as_deref()),
                (303, Some("/console/sign-in"))
            );
        }
        let metrics = exchange(proxy.admin, &get("/metrics")).await;
        assert_eq!((metrics.status, metrics.header("www-authenticate").as_deref()), (401, Some("Bearer")));
        let health = exchange(proxy.admin, &get("/healthz")).await;
        assert_eq!((health.status, &*health.text()), (200, "{\"status\":\"ok\"}\n"));
        // Another machine's name is answered: the token says who asks.
        let door =
            exchange(proxy.admin, b"GET /console/sign-in HTTP/1.1\r\nhost: proxy.example\r\n\r\n").await;
        assert!(door.status == 200 && door.text().contains("Admin token"));

        let wrong = exchange(proxy.admin, &form(&proxy, "/console/sign-in", &[("token", "another")])).await;
        assert!(wrong.status == 401 && wrong.text().contains("not the admin token"));
        assert_eq!(wrong.header("set-cookie"), None);
        let right = exchange(proxy.admin, &form(&proxy, "/console/sign-in", &[("token", token)])).await;
        let cookie = right.header("set-cookie").unwrap();
        assert_eq!(right.status, 303);
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(token));

        let with =
            |line: &str| format!("GET /console/ HTTP/1.1\r\nhost: localhost\r\n{line}\r\n\r\n").into_bytes();
        let session = cookie.split(';').next().unwrap().to_owned();
        for (line, status) in [
            (format!("cookie: {session}"), 200),
            (format!("authorization: Bearer {token}"), 200),
            (format!("cookie: {}x", session.replace("=1", "=2")), 303),
        ] {
            assert_eq!(exchange(proxy.admin, &with(&line)).await.status, status, "{line}");
        }
        let leaving = format!("origin: http://{}\r\ncookie: {session}\r\n", proxy.admin);
        let out = exchange(proxy.admin, &form_with(&proxy, "/console/sign-out", &leaving, &[])).await;
        assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
        let kept = exchange(proxy.admin, &with(&format!("cookie: {session}"))).await;
        assert_eq!(kept.status, 303, "a cookie that somebody kept opens nothing");
    });
}

#[test]
fn a_brand_named_like_a_script_is_only_text() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write(
            "knowledge/acme/brand.toml",
            "name = \"<script>alert(1)</script>\"\naliases = [\"\\\"><img src=x onerror=alert(2)>\"]\n",
        );
        site.write(
            "knowledge/acme/evil.md",
            "---\nsource: \"javascript:alert(3)\"\ntags: [\"<b>bold</b>\"]\n---\n\n# Anvil </textarea><script>alert(4)</script>\n\nThe anvil says </pre><script>alert(5)</script>.\n",
        );
        let proxy = Proxy::of(site, &upstream.url(), ON).await;
        let question = "Which anvil says \"</textarea><script>alert(6)</script>\"?";
        let mut pages = Vec::new();
        for path in PAGES {
            pages.push(exchange(proxy.admin, &get(path)).await.text());
        }
        pages.push(tried(&proxy, &[("conversation", question)]).await.text());
        pages.push(tried(&proxy, &[("conversation", "{\"<script>\"")]).await.text());
        pages.push(tried(&proxy, &[("conversation", "x"), ("recipe", "<script>")]).await.text());
        for page in &pages {
            for forbidden in ["<script>", "<img src=x", "<b>bold", "href=\"javascript:"] {
                assert!(!page.contains(forbidden), "{forbidden} in\n{page}");
            }
        }
        assert!(pages[3].contains("&lt;script&gt;alert(1)"), "{}", pages[3]);
        assert!(pages[5].contains("alert(6)"));
    });
}
