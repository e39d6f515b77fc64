"""ISO 4217 currencies and the number of decimals of their minor unit.

Source: ISO 4217 list one, published by SIX on 2026-01-01. Codes without a minor unit (metals, testing) are left out.
"""

from decimal import Decimal

CODES_BY_MINOR_UNIT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW "
    "CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR "
    "ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV "
    "MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD "
    "SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""The list by the number of decimals, codes separated by spaces."""

MINOR_UNITS: dict[str, int] = {
    code: decimals for decimals, codes in CODES_BY_MINOR_UNIT.items() for code in codes.split()
}
"""Decimals of the minor unit by currency code: ``MINOR_UNITS["GBP"] == 2``."""


def formatted(minor: int, currency: str) -> str:
    """An amount in the currency's minor unit, as people write it: 123456 pence are ``GBP 1,234.56``."""
    return f"{currency} {Decimal(minor).scaleb(-MINOR_UNITS[currency]):,f}"
