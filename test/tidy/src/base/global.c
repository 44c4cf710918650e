// rule: state
unsigned long sk_calls = 0;
