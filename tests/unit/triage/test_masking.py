"""masked(): personal data goes, everything else stays."""

import time

import pytest

from copydesk.triage import masked

PERSONAL = [
    ("Write to jane.doe+shop@mail.example.co.uk please", "Write to [email] please"),
    ("邮箱abc@qq.com请联系", "邮箱[email]请联系"),
    ("john (at) example (dot) com", "[email]"),
    ("call me on (415) 555-0132 please", "call me on [phone] please"),
    ("my cell is 4155550132", "my cell is [phone]"),
    ("text me at 555-0132", "text me at [phone]"),
    ("ring +44 20 7946 0958 now", "ring [phone] now"),
    ("020 7946 0958 or 07700 900123", "[phone] or [phone]"),
    ("+1-202-555-0143", "[phone]"),
    ("0171 2345678, 0171/2345678, (030) 1234567", "[phone], [phone], [phone]"),
    ("+49 (0) 171 2345678", "[phone]"),
    ("0049 171 2345678", "[phone]"),
    ("打我电话13912345678。", "打我电话[phone]。"),
    ("+86 139 1234 5678", "[phone]"),
    ("座机010-12345678", "座机[phone]"),
    ("客服400-820-8820", "客服[phone]"),
    ("电话：02112345678", "电话：[phone]"),
    ("Order #114-3941689-8772232 is late", "Order #[order] is late"),
    ("order number 12345", "order number [order]"),
    ("my order no. AB-99812", "my order no. [order]"),
    ("order 1234567 never came", "order [order] never came"),
    ("订单号：20231104558812，颜色错", "订单号：[order]，颜色错"),
    ("訂單編號 20231104", "訂單編號 [order]"),
    ("快递单号SF1234567890123", "快递单号[order]"),
    ("Bestellnummer 2024-55871", "Bestellnummer [order]"),
    ("Sendungsnummer: 00340434161094042557", "Sendungsnummer: [order]"),
    ("tracking number 1Z999AA10123456784", "tracking number [order]"),
    ("Sent to 221 Baker Street, London", "Sent to [address]"),
    ("12 Oak Dr, Springfield, IL 62704", "[address]"),
    ("PO Box 1234", "[address]"),
    ("Gartenstraße 12, 10115 Berlin", "[address]"),
    ("Lindenweg 3, 80331 München", "[address]"),
    ("寄到上海市徐汇区漕溪北路100号3栋502室，很快", "寄到[address]，很快"),
    ("我住在阳光小区3栋2单元501", "我住在[address]"),
    ("臺北市信義路5號", "[address]"),
    ("Best regards,\nThomas Ashby", "Best regards,\n[name]"),
    ("Nice. Thanks, John", "Nice. Thanks, [name]"),
    ("Alles gut. LG, Anna", "Alles gut. LG, [name]"),
    ("Viele Grüße Peter Müller", "Viele Grüße [name]"),
    ("我叫王小明，这款茶很香", "我叫[name]，这款茶很香"),
    ("My name is Sarah Connor.", "My name is [name]."),
    ("收件人：李雷", "收件人：[name]"),
    ("张先生收到了", "[name]先生收到了"),
    ("Frau Schneider rief an", "Frau [name] rief an"),
    ("Telegram @linda_knits", "Telegram [messenger]"),
    ("加我微信号wangxm_88聊聊", "加我微信号[messenger]聊聊"),
    ("微信：abcdefg", "微信：[messenger]"),
    ("vx: fang888, QQ 123456789", "vx: [messenger], QQ [messenger]"),
    ("LINE ID: kitty99", "LINE ID: [messenger]"),
    ("charged 4111 1111 1111 1111 twice", "charged [card] twice"),
    ("DE89 3704 0044 0532 0130 00", "[iban]"),
    ("身份证11010519491231002X", "身份证[id]"),
]

HARMLESS = """\
15.6 inch|i5-8250U|bought in 2019|500 ml|$1,299.00|1.299,00 €|1920x1080|30 x 40 x 50 cm|12.05.2023|01/12/2023
2023-10-05 00:00|10:30-12:00|20000 mAh|100% cotton|5/5 stars|RTX 3080 Ti 12GB|ISBN 978-3-16-148410-0
model WH-1000XM4|24/7|2 TB drive|1 hard drive|4 Place settings|a 9 1/2 court shoe|in order 1000 times
I ordered 3000 pieces|order 2 more|order again|301路公交|地铁2号线|价格4299元|第3次购买|100-240V
WeChat payment works|微信支付方便|telegram works|line 3 of the manual|Speicherplatz 256 GB
Parkplatz 3 Minuten entfernt|Heimweg 20 Minuten|LG OLED TV 55|Thanks a lot!|Thank you so much|Love It
Best Purchase|12345678 steps|0,5 Liter|size 38-40|US 8.5|1 000 000|version 10.0.19041|Windows 10 2004
2x 18650 batteries|EAN 4006381333931|7-8 business days|我叫了外卖|高级感|房间在8楼|Mr. Coffee machine
Dr. Martens|made @home""".replace("\n", "|").split("|")


@pytest.mark.parametrize(("text", "expected"), PERSONAL)
def test_personal_data_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize("text", HARMLESS)
def test_prices_sizes_dates_and_models_stay(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    "text", [text for text, _ in PERSONAL] + HARMLESS + ["Jane Doe, jane@example.com", "[name] Doe"]
)
def test_masking_twice_is_masking_once(text: str) -> None:
    once = masked(text, ["Jane Doe"])
    assert masked(once, ["Jane Doe"]) == once


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("JANE DOE here, Jane to my friends", "Jane Doe", "[name] here, [name] to my friends"),
        ("A rose gold ring. Rose", "Rose Miller", "A rose gold ring. [name]"),
        ("王小明说小明喜欢", "王小明", "[name]说[name]喜欢"),
        ("A good shop", "Good Shopper", "A good shop"),
        ("Amazon is quick", "Amazon Customer", "Amazon is quick"),
        ("j***n was here", "j***n", "j***n was here"),
        ("An orderly text", "Or", "An orderly text"),
        ("email me: a@b.example", "Email", "email me: [email]"),
        ("Nothing", "", "Nothing"),
    ],
)
def test_the_reviewers_own_name_is_masked_and_common_words_are_not(text: str, name: str, expected: str) -> None:
    assert masked(text, [name]) == expected


@pytest.mark.parametrize(
    "piece",
    ["a", "1", "1 ", "a@", "a.", "王", "路1", "Aa ", "0 1-", "DE12 ", "12 Aa ", "order ", "微信a", "+1 ", "\n", "1栋",
     "@a1", "小区1栋", "Best regards, ", "my name is "],
)  # fmt: skip
def test_20_kb_of_anything_take_time_in_proportion(piece: str) -> None:
    """About 20 ms on one core; ten times that is allowed here, what backtracks takes minutes."""
    text = piece * (20_000 // len(piece))
    began = time.perf_counter()
    masked(text, ["Jane Doe"])
    assert time.perf_counter() - began < 0.25
