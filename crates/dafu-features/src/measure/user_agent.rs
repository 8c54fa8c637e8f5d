//! What a user agent string says about browser, system and device.

use std::fmt;

/// The bytes of a user agent that are read.
const READ: usize = 512;

/// A family of browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum Browser {
    /// Chrome, Chromium, the web view of Android, and browsers made of it that have no name here.
    Chrome,
    /// Edge, on every engine.
    Edge,
    /// Firefox, also on iOS and Android.
    Firefox,
    /// Safari, and web views of apps on iOS.
    Safari,
    /// Opera, on every engine.
    Opera,
    /// The browser of Samsung.
    Samsung,
    /// Internet Explorer.
    InternetExplorer,
    /// A library or a command: curl, wget, Python, Java, okhttp and the like.
    Script,
    /// Any other, or none named.
    #[default]
    Other,
}

impl Browser {
    /// All of them; the position is the [`code`](Self::code).
    pub const ALL: [Self; 9] = [
        Self::Chrome,
        Self::Edge,
        Self::Firefox,
        Self::Safari,
        Self::Opera,
        Self::Samsung,
        Self::InternetExplorer,
        Self::Script,
        Self::Other,
    ];

    /// The position in [`ALL`](Self::ALL), from 0.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name: `chrome`, `edge`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Edge => "edge",
            Self::Firefox => "firefox",
            Self::Safari => "safari",
            Self::Opera => "opera",
            Self::Samsung => "samsung",
            Self::InternetExplorer => "internet_explorer",
            Self::Script => "script",
            Self::Other => "other",
        }
    }
}

/// A family of operating systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum System {
    /// Windows, also on phones.
    Windows,
    /// macOS. Tablets of Apple that ask for desktop pages look the same.
    MacOs,
    /// iOS and iPadOS.
    Ios,
    /// Android.
    Android,
    /// Linux and other systems with X11.
    Linux,
    /// `ChromeOS`.
    ChromeOs,
    /// Any other, or none named.
    #[default]
    Other,
}

impl System {
    /// All of them; the position is the [`code`](Self::code).
    pub const ALL: [Self; 7] = [
        Self::Windows,
        Self::MacOs,
        Self::Ios,
        Self::Android,
        Self::Linux,
        Self::ChromeOs,
        Self::Other,
    ];

    /// The position in [`ALL`](Self::ALL), from 0.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name: `windows`, `mac_os`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Windows => "windows",
            Self::MacOs => "mac_os",
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Linux => "linux",
            Self::ChromeOs => "chrome_os",
            Self::Other => "other",
        }
    }
}

/// A form of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum DeviceType {
    /// A computer with a screen of its own size.
    Desktop,
    /// A phone.
    Mobile,
    /// A tablet.
    Tablet,
    /// None: a program asks.
    Bot,
    /// A television, or nothing known.
    #[default]
    Unknown,
}

impl DeviceType {
    /// All of them; the position is the [`code`](Self::code).
    pub const ALL: [Self; 5] = [
        Self::Desktop,
        Self::Mobile,
        Self::Tablet,
        Self::Bot,
        Self::Unknown,
    ];

    /// The position in [`ALL`](Self::ALL), from 0.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The name: `desktop`, `mobile`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Mobile => "mobile",
            Self::Tablet => "tablet",
            Self::Bot => "bot",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for DeviceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a user agent string says. Anybody can send any string: take it as a claim, and a change of it as a signal.
///
/// ```
/// use dafu_features::measure::{Browser, DeviceType, System, UserAgent};
///
/// let seen = UserAgent::parse(
///     "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
///      Version/17.5 Mobile/15E148 Safari/604.1",
/// );
/// assert_eq!((seen.browser, seen.system), (Browser::Safari, System::Ios));
/// assert_eq!((seen.device, seen.bot), (DeviceType::Mobile, false));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UserAgent {
    /// The browser.
    pub browser: Browser,
    /// The operating system.
    pub system: System,
    /// The device.
    pub device: DeviceType,
    /// Whether it names itself a crawler, a library, a command or a browser without a screen. Apps on Android often
    /// send the name of their library, okhttp: they are marked as well.
    pub bot: bool,
}

impl UserAgent {
    /// Reads a user agent string, its first 512 bytes, without regard to upper and lower case. An empty or unknown text
    /// is the default: other, unknown, no bot.
    ///
    /// Words are looked up in a table and the first that decides wins: most browsers name others as well, for old
    /// servers (Edge names Chrome and Safari), phones of Windows name Android and iPhone.
    ///
    /// Complexity: one pass; each byte is compared with the words of the table that begin with it.
    ///
    /// Source: RFC 9110 (2022), section 10.1.5, for the form; the words are those of the vendors' documentation of
    /// their strings.
    pub fn parse(text: &str) -> Self {
        let words = words_of(text.as_bytes());
        let has = |mask: u64| words & mask != 0;
        let system = match () {
            () if has(WINDOWS) => System::Windows,
            () if has(IPHONE | IPAD) => System::Ios,
            () if has(ANDROID) => System::Android,
            () if has(CROS) => System::ChromeOs,
            () if has(MAC) => System::MacOs,
            () if has(LINUX) => System::Linux,
            () => System::Other,
        };
        let browser = match () {
            () if has(EDGE) => Browser::Edge,
            () if has(OPERA) => Browser::Opera,
            () if has(SAMSUNG) => Browser::Samsung,
            () if has(EXPLORER) => Browser::InternetExplorer,
            () if has(FIREFOX) => Browser::Firefox,
            () if has(CHROME) => Browser::Chrome,
            // The old browser of Android names Safari, web views of iOS only its engine.
            () if has(SAFARI) && system != System::Android => Browser::Safari,
            () if has(WEB_KIT) && system == System::Ios => Browser::Safari,
            () if has(SCRIPT) => Browser::Script,
            () => Browser::Other,
        };
        let bot = has(BOT | SCRIPT);
        let device = match () {
            () if bot => DeviceType::Bot,
            () if has(TELEVISION) => DeviceType::Unknown,
            () if has(IPAD) => DeviceType::Tablet,
            // Windows with a pen calls itself a tablet PC.
            () if has(TABLET) && system != System::Windows => DeviceType::Tablet,
            () if has(MOBILE | IPHONE) => DeviceType::Mobile,
            // Android leaves out "Mobile" on tablets.
            () if system == System::Android => DeviceType::Tablet,
            () if system == System::Other => DeviceType::Unknown,
            () => DeviceType::Desktop,
        };
        Self {
            browser,
            system,
            device,
            bot,
        }
    }
}

const WINDOWS: u64 = 1;
const IPHONE: u64 = 1 << 1;
const IPAD: u64 = 1 << 2;
const ANDROID: u64 = 1 << 3;
const CROS: u64 = 1 << 4;
const MAC: u64 = 1 << 5;
const LINUX: u64 = 1 << 6;
const EDGE: u64 = 1 << 7;
const OPERA: u64 = 1 << 8;
const SAMSUNG: u64 = 1 << 9;
const EXPLORER: u64 = 1 << 10;
const FIREFOX: u64 = 1 << 11;
const CHROME: u64 = 1 << 12;
const SAFARI: u64 = 1 << 13;
const WEB_KIT: u64 = 1 << 14;
const SCRIPT: u64 = 1 << 15;
const BOT: u64 = 1 << 16;
const TELEVISION: u64 = 1 << 17;
const TABLET: u64 = 1 << 18;
const MOBILE: u64 = 1 << 19;

/// How words of user agents begin, in lower case, and what they say.
const BEGINNINGS: [(&[u8], u64); 69] = [
    (b"android", ANDROID),
    (b"aiohttp/", SCRIPT),
    (b"apache-httpclient/", SCRIPT),
    (b"applewebkit/", WEB_KIT),
    (b"axios/", SCRIPT),
    (b"bingpreview", BOT),
    (b"chrome-lighthouse", BOT),
    (b"chrome/", CHROME),
    (b"chromium/", CHROME),
    (b"crios/", CHROME),
    (b"crkey", TELEVISION),
    (b"cros", CROS),
    (b"curl/", SCRIPT),
    (b"edg/", EDGE),
    (b"edga/", EDGE),
    (b"edge/", EDGE),
    (b"edgios/", EDGE),
    (b"facebookexternalhit/", BOT),
    (b"firefox/", FIREFOX),
    (b"fxios/", FIREFOX),
    (b"go-http-client/", SCRIPT),
    (b"google-inspectiontool", BOT),
    (b"googletv", TELEVISION),
    (b"guzzlehttp/", SCRIPT),
    (b"headlesschrome/", BOT | CHROME),
    (b"httpie/", SCRIPT),
    (b"insomnia/", SCRIPT),
    (b"iemobile", EXPLORER | MOBILE),
    (b"ipad", IPAD),
    (b"iphone", IPHONE),
    (b"ipod", IPHONE),
    (b"java-http-client/", SCRIPT),
    (b"java/", SCRIPT),
    (b"kindle", TABLET),
    (b"libwww-perl/", SCRIPT),
    (b"linux", LINUX),
    (b"mac os x", MAC),
    (b"macintosh", MAC),
    (b"mediapartners-google", BOT),
    (b"mobile", MOBILE),
    (b"msie", EXPLORER),
    (b"node-fetch/", SCRIPT),
    (b"okhttp/", SCRIPT),
    (b"opera", OPERA),
    (b"opios/", OPERA),
    (b"opr/", OPERA),
    (b"opt/", OPERA),
    (b"phantomjs/", BOT),
    (b"php/", SCRIPT),
    (b"playwright/", BOT),
    (b"postmanruntime/", SCRIPT),
    (b"puppeteer", BOT),
    (b"python-httpx/", SCRIPT),
    (b"python-requests/", SCRIPT),
    (b"python-urllib", SCRIPT),
    (b"python/", SCRIPT),
    (b"reqwest/", SCRIPT),
    (b"ruby", SCRIPT),
    (b"safari/", SAFARI),
    (b"samsungbrowser/", SAMSUNG),
    (b"scrapy/", BOT | SCRIPT),
    (b"selenium", BOT),
    (b"silk/", TABLET),
    (b"smart-tv", TELEVISION),
    (b"tablet", TABLET),
    (b"trident/", EXPLORER),
    (b"wget/", SCRIPT),
    (b"windows", WINDOWS),
    (b"x11", LINUX),
];

/// How names of crawlers end or go on, anywhere in a word.
const INSIDE: [(&[u8], u64); 4] = [
    (b"bot", BOT),
    (b"crawl", BOT),
    (b"headless", BOT),
    (b"spider", BOT),
];

/// The words of the tables that the text has.
fn words_of(text: &[u8]) -> u64 {
    let text = text.get(..READ).unwrap_or(text);
    let mut found = 0;
    let mut before = b' ';
    for (place, &byte) in text.iter().enumerate() {
        let (rest, first) = (&text[place..], byte.to_ascii_lowercase());
        let begins = |word: &[u8]| {
            word.first() == Some(&first)
                && rest
                    .get(..word.len())
                    .is_some_and(|part| part.eq_ignore_ascii_case(word))
        };
        if !before.is_ascii_alphanumeric() {
            for (word, says) in BEGINNINGS {
                if begins(word) {
                    found |= says;
                }
            }
        }
        for (word, says) in INSIDE {
            // Phones of the brand Cubot are no bots.
            if begins(word) && !(word == b"bot" && ends_with_cu(&text[..place])) {
                found |= says;
            }
        }
        before = byte;
    }
    found
}

fn ends_with_cu(text: &[u8]) -> bool {
    text.last_chunk::<2>()
        .is_some_and(|end| end.eq_ignore_ascii_case(b"cu"))
}

#[cfg(test)]
mod tests;
