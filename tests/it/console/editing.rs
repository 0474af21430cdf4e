//! Knowledge, its mistakes, and stored reports.

use super::{ON, form};
use crate::support::client::{exchange, get};
use crate::support::proxy::{Proxy, Site};
use crate::support::run;
use crate::support::upstream::Upstream;

#[test]
fn files_that_cannot_serve_are_shown_with_their_place() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let proxy = Proxy::of(Site::new(), &upstream.url(), &[ON[0], ("knowledge.watch", "off")]).await;
        proxy.site.write("knowledge/acme/brand.toml", "name = \"Acme\"\naliases = [\"a\" \"b\"]\n");
        let reload = form(&proxy, "/console/knowledge/reload", &[]);
        assert_eq!(exchange(proxy.admin, &reload).await.status, 303);
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        for said in ["The last good version is still in use", "brand.toml:2:", "aliases = ["] {
            assert!(page.contains(said), "`{said}` is not in\n{page}");
        }
        assert!(
            exchange(proxy.admin, &get("/console/")).await.text().contains("The changed files have errors")
        );
        proxy.site.write("knowledge/acme/brand.toml", "name = \"Acme Anvils\"\n");
        exchange(proxy.admin, &reload).await;
        let page = exchange(proxy.admin, &get("/console/knowledge")).await.text();
        assert!(page.contains("The latest version of your files is in use"), "{page}");
    });
}

#[test]
fn items_are_found_by_words_validity_and_tag() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write(
            "knowledge/acme/dated.md",
            "---\nvalid_until: 2020-01-01\ntags: [old]\nlanguage: de\nsource: https://acme.example/a?b=1&c=2\n---\n\n# Sommerangebot\n\nEin Amboss.\n",
        );
        let many: String =
            (0..70).map(|n| format!("# Anvil number {n}\n\nIt weighs {n} kilograms.\n\n")).collect();
        site.write("knowledge/acme/many.md", &many);
        let proxy = Proxy::of(site, &upstream.url(), ON).await;
        for (query, said) in [
            ("", "75 items, page 1 of 2"),
            ("?page=2", "Earlier"),
            ("?page=99", "page 2 of 2"),
            ("?q=warranty", "1 of 75 items"),
            ("?state=expired", "Sommerangebot"),
            ("?tag=old", "https://acme.example/a?b=1&amp;c=2"),
            ("?language=de", "1 of 75 items"),
            ("?q=zebra", "No item matches all of this"),
            ("?q=number&page=1", "q=number&amp;page=2"),
        ] {
            let page = exchange(proxy.admin, &get(&format!("/console/knowledge/acme{query}"))).await.text();
            let page = page.replace("&#x2f;", "/");
            assert!(page.contains(said), "{query}: `{said}` is not in\n{page}");
        }
    });
}

#[test]
fn reports_are_listed_and_nothing_else_is_read() {
    run(async {
        let upstream = Upstream::answering("{}").await;
        let site = Site::new();
        site.write("reports/good/results.json", "{}");
        site.write("reports/good/report.html", "<p style=\"color:red\">A report</p>");
        site.write("reports/empty/other.txt", "");
        site.write("secret/report.html", "secret");
        site.write("secret/results.json", "{}");
        let proxy = Proxy::of(site, &upstream.url(), &[ON[0], ("console.reports", "reports")]).await;
        let page = exchange(proxy.admin, &get("/console/measure")).await.text();
        assert!(page.contains("/console/measure/good") && page.contains("another version"), "{page}");
        assert!(!page.contains("/console/measure/empty"), "{page}");
        let framed = exchange(proxy.admin, &get("/console/measure/good/report.html")).await;
        let policy = framed.header("content-security-policy").unwrap();
        assert!(framed.text().contains("A report") && policy.contains("sandbox;"), "{policy}");
        for name in ["..%2Fsecret", "../secret", "%2e%2e", "good/../../secret", ".", "%00", "..%5Csecret"] {
            for end in ["", "/report.html"] {
                let answer = exchange(proxy.admin, &get(&format!("/console/measure/{name}{end}"))).await;
                assert_eq!(answer.status, 404, "{name}{end}");
            }
        }
    });
}
