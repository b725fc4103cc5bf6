"""Question + passages -> verified answer: prompt, generators, citations, abstention, safety."""
