"""The words that charts, tables, sentences and page templates show to a reader."""

import gettext

_translations: gettext.NullTranslations = gettext.NullTranslations()


def use(language: str) -> None:
    """
    Show words in ``language`` from now on; "en" is the language the texts are written in.

    Raises
    ------
    ValueError
        There are no words in that language.
    """
    global _translations
    if language != "en":
        raise ValueError(f'language must be one of "en", but is "{language}"')
    _translations = gettext.NullTranslations()


def translate(text: str) -> str:
    """
    Give ``text`` in the language in use.

    Examples
    --------
    >>> translate("Source")
    'Source'
    """
    return _translations.gettext(text)


_ = translate
