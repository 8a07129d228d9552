"""language_of(): scripts first, then little words; the dominant language of a mixed text."""

import json

import pytest
from conftest import SHARED

from copydesk.triage import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Great product, works as expected.", "en"),
        ("Super!", "en"),
        ("Tolle Tasse, gerne wieder.", "de"),
        ("Schönes Kissen", "de"),
        ("质量很好，下次再来。", "zh"),
        ("質量很好，下次再來。", "zh"),
        ("这个 iPhone case 很nice，手感超级好，推荐购买。", "zh"),
        ("Battery life is great and shipping was fast, 赞", "en"),
        ("Alles top, nice product und schnelle Lieferung, gerne wieder.", "de"),
        ("Très belle tasse, je suis ravie de mon achat.", "fr"),
        ("Muy buena calidad y el envío fue rápido.", "es"),
        ("Ottimo prodotto, arrivato in anticipo e molto bello.", "it"),
        ("Produto muito bom, chegou antes do prazo.", "pt"),
        ("Heel mooi en snel geleverd, het is een goed product.", "nl"),
        ("Bardzo dobry produkt, polecam.", "pl"),
        ("Mycket bra kvalitet, jag är nöjd med det.", "sv"),
        ("Çok güzel bir ürün, tavsiye ederim.", "tr"),
        ("Sản phẩm rất đẹp, giao hàng nhanh.", "vi"),
        ("とても使いやすくて気に入りました。", "ja"),
        ("배송도 빠르고 품질이 좋아요", "ko"),
        ("Отличная кружка, быстрая доставка", "ru"),
        ("Дуже гарна якість, її люблю", "uk"),
        ("المنتج جيد جدا والتوصيل سريع", "ar"),
        ("این محصول خیلی خوب است، پیشنهاد می‌کنم", "fa"),
        ("מוצר מעולה, הגיע מהר", "he"),
        ("Πολύ καλό προϊόν", "el"),
        ("สินค้าดีมาก", "th"),
        ("बहुत अच्छा उत्पाद", "hi"),
        ("👍👍 10/10 !!!", "und"),
        ("", "und"),
        ("http://example.com/good-product me@example.com", "und"),
    ],
)
def test_the_dominant_language_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real reviews in ../shared/data")
@pytest.mark.parametrize(("file", "language"), [("amazon_reviews_en.jsonl", "en"), ("reviews_zh.jsonl", "zh")])
def test_real_reviews_are_told_apart(file: str, language: str) -> None:
    texts = [json.loads(line)["text"] for line in (SHARED / file).read_text(encoding="utf-8").splitlines()]
    right = sum(language_of(text) == language for text in texts)
    assert right >= 0.995 * len(texts)
