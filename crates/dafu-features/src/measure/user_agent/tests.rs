use super::*;
use proptest::prelude::*;

const TABLE: &[(&str, Browser, System, DeviceType, bool)] = {
    use Browser::{Chrome, Edge, Firefox, InternetExplorer, Opera, Safari, Samsung, Script};
    use DeviceType::{Bot, Desktop, Mobile, Tablet, Unknown};
    use System::{Android, ChromeOs, Ios, Linux, MacOs, Windows};
    &[
        // Chrome and what is made of it.
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
            Chrome,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
            Chrome,
            MacOs,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
            Chrome,
            Linux,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36",
            Chrome,
            ChromeOs,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36",
            Chrome,
            Android,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X906C) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.119 Safari/537.36",
            Chrome,
            Android,
            Tablet,
            false,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1",
            Chrome,
            Ios,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 5.1.1; Nexus 5 Build/LMY48B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/43.0.2357.65 Mobile Safari/537.36",
            Chrome,
            Android,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/80.0.3987.99 Mobile Safari/537.36",
            Chrome,
            Android,
            Mobile,
            false,
        ),
        // Edge, old and new.
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.51",
            Edge,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/64.0.3282.140 Safari/537.36 Edge/17.17134",
            Edge,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; HD1913) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.82 Mobile Safari/537.36 EdgA/123.0.2420.102",
            Edge,
            Android,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 EdgiOS/123.0.2420.108 Mobile/15E148 Safari/605.1.15",
            Edge,
            Ios,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063",
            Edge,
            Windows,
            Mobile,
            false,
        ),
        // Firefox.
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0",
            Firefox,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0",
            Firefox,
            Linux,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0",
            Firefox,
            Android,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Android 4.4; Tablet; rv:41.0) Gecko/41.0 Firefox/41.0",
            Firefox,
            Android,
            Tablet,
            false,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 14_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/125.0 Mobile/15E148 Safari/605.1.15",
            Firefox,
            Ios,
            Tablet,
            false,
        ),
        // Safari.
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_4_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
            Safari,
            MacOs,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Mobile/15E148 Safari/604.1",
            Safari,
            Ios,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
            Safari,
            Ios,
            Tablet,
            false,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            Safari,
            Ios,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; U; Android 4.0.3; ko-kr; LG-L160L Build/IML74K) AppleWebkit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30",
            Browser::Other,
            Android,
            Mobile,
            false,
        ),
        // Opera, Samsung, Internet Explorer.
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 OPR/109.0.0.0",
            Opera,
            Windows,
            Desktop,
            false,
        ),
        (
            "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
            Opera,
            Windows,
            Desktop,
            false,
        ),
        (
            "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16",
            Opera,
            Android,
            Tablet,
            false,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/24.0 Chrome/117.0.0.0 Mobile Safari/537.36",
            Samsung,
            Android,
            Mobile,
            false,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko",
            InternetExplorer,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)",
            InternetExplorer,
            Windows,
            Desktop,
            false,
        ),
        (
            "Mozilla/5.0 (Mobile; Windows Phone 8.1; Android 4.0; ARM; Trident/7.0; Touch; rv:11.0; IEMobile/11.0; NOKIA; Lumia 520) like iPhone OS 7_0_3 Mac OS X AppleWebKit/537 (KHTML, like Gecko) Mobile Safari/537",
            InternetExplorer,
            Windows,
            Mobile,
            false,
        ),
        // Readers and televisions.
        (
            "Mozilla/5.0 (Linux; Android 9; KFMAWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/108.4.6 like Chrome/108.0.5359.160 Safari/537.36",
            Chrome,
            Android,
            Tablet,
            false,
        ),
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 2.3) AppleWebkit/538.1 (KHTML, like Gecko) SamsungBrowser/1.0 TV Safari/538.1",
            Samsung,
            Linux,
            Unknown,
            false,
        ),
        (
            "Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)",
            Browser::Other,
            System::Other,
            Unknown,
            false,
        ),
        // Crawlers.
        (
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Browser::Other,
            System::Other,
            Bot,
            true,
        ),
        (
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.91 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            Chrome,
            Android,
            Bot,
            true,
        ),
        (
            "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
            Browser::Other,
            System::Other,
            Bot,
            true,
        ),
        (
            "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
            Browser::Other,
            System::Other,
            Bot,
            true,
        ),
        (
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            Browser::Other,
            System::Other,
            Bot,
            true,
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/124.0.6367.60 Safari/537.36",
            Chrome,
            Linux,
            Bot,
            true,
        ),
        (
            "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
            Safari,
            Linux,
            Bot,
            true,
        ),
        // Libraries and commands.
        ("curl/8.5.0", Script, System::Other, Bot, true),
        ("Wget/1.21.3", Script, System::Other, Bot, true),
        ("python-requests/2.31.0", Script, System::Other, Bot, true),
        (
            "Python/3.11 aiohttp/3.9.3",
            Script,
            System::Other,
            Bot,
            true,
        ),
        ("Python-urllib/3.10", Script, System::Other, Bot, true),
        ("okhttp/4.12.0", Script, System::Other, Bot, true),
        ("Java/17.0.2", Script, System::Other, Bot, true),
        (
            "Apache-HttpClient/4.5.14 (Java/11.0.22)",
            Script,
            System::Other,
            Bot,
            true,
        ),
        ("Go-http-client/1.1", Script, System::Other, Bot, true),
        ("PostmanRuntime/7.37.3", Script, System::Other, Bot, true),
        (
            "Scrapy/2.11.1 (+https://scrapy.org)",
            Script,
            System::Other,
            Bot,
            true,
        ),
    ]
};

#[test]
fn well_known_strings_are_read_as_what_they_are() {
    for &(text, browser, system, device, bot) in TABLE {
        let expected = UserAgent {
            browser,
            system,
            device,
            bot,
        };
        assert_eq!(UserAgent::parse(text), expected, "{text}");
    }
}

#[test]
fn upper_and_lower_case_are_the_same() {
    for (text, ..) in TABLE {
        let expected = UserAgent::parse(text);
        assert_eq!(UserAgent::parse(&text.to_uppercase()), expected, "{text}");
        assert_eq!(UserAgent::parse(&text.to_lowercase()), expected, "{text}");
    }
}

#[test]
fn words_count_from_their_beginning_only() {
    for text in [
        "",
        "-",
        "Mozilla/5.0",
        "notcurl/1",
        "xwindows",
        "semiphone",
        "javascript/1",
        "knowledge/2",
        "\u{43c}",
    ] {
        assert_eq!(UserAgent::parse(text), UserAgent::default(), "{text}");
    }
}

#[test]
fn nothing_past_512_bytes_counts() {
    let padded = |spaces: usize| UserAgent::parse(&format!("{}curl/8", " ".repeat(spaces)));
    assert!(padded(507).bot);
    assert!(!padded(508).bot);
    // The cut may fall into a character.
    let text = format!("{}{}", " ".repeat(511), "\u{20ac} curl/8");
    assert_eq!(UserAgent::parse(&text), UserAgent::default());
}

#[test]
fn every_word_of_the_tables_is_found_alone_and_decides_something() {
    for (word, says) in BEGINNINGS.into_iter().chain(INSIDE) {
        assert!(word.iter().all(|byte| !byte.is_ascii_uppercase()));
        assert_ne!(words_of(word) & says, 0, "{word:?}");
    }
}

#[test]
fn codes_are_positions_and_names_differ() {
    fn check<T: Copy>(all: &[T], code: fn(T) -> u8, name: fn(T) -> &'static str) {
        let names: std::collections::BTreeSet<_> = all.iter().map(|&item| name(item)).collect();
        assert_eq!(names.len(), all.len());
        assert!(
            all.iter()
                .enumerate()
                .all(|(place, &item)| usize::from(code(item)) == place)
        );
    }
    check(&Browser::ALL, Browser::code, Browser::name);
    check(&System::ALL, System::code, System::name);
    check(&DeviceType::ALL, DeviceType::code, DeviceType::name);
}

proptest! {
    #[test]
    fn any_text_is_read(text in any::<String>(), place in 0..TABLE.len(), cut in 0..200_usize) {
        let _ = UserAgent::parse(&text);
        let known: String = TABLE[place].0.chars().take(cut).collect();
        let _ = UserAgent::parse(&format!("{known}{text}"));
    }
}
