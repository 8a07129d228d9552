"""judge(text, facts, rules) -> Verdict: an ordered list of small rules, each with a reason code."""
